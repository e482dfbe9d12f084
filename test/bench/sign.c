/*
 * test/bench/sign.c - what a signature alone costs: sign KEY.pem SECONDS
 *
 * Prints nanoseconds of CPU for one signature over 960 bytes, the length of a
 * JWT's first two parts with a certificate in it, by OpenSSL's EVP on a key
 * loaded once. Nothing of dockpass is in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

static double cpu_seconds(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static EVP_PKEY *read_key(const char *path)
{
	FILE *file = fopen(path, "r");
	EVP_PKEY *key;

	if (!file)
		return NULL;
	key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
	fclose(file);
	return key;
}

static int begin(EVP_PKEY *key, EVP_MD_CTX *ctx)
{
	const char *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : "SHA256";

	if (EVP_PKEY_get_bits(key) == 384 && EVP_PKEY_is_a(key, "EC"))
		digest = "SHA384";
	return EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, key,
				     NULL) == 1;
}

/* The quickest way that EVP has: a copy of what was set up once, used up. */
static int sign(const EVP_MD_CTX *ready, EVP_MD_CTX *ctx)
{
	static unsigned char text[960], out[1024];
	size_t len = sizeof(out);

	text[0]++;
	if (EVP_MD_CTX_copy_ex(ctx, ready) != 1)
		return 0;
	EVP_MD_CTX_set_flags(ctx, EVP_MD_CTX_FLAG_FINALISE);
	return EVP_DigestSign(ctx, out, &len, text, sizeof(text)) == 1;
}

int main(int argc, char **argv)
{
	EVP_MD_CTX *ready = EVP_MD_CTX_new(), *ctx = EVP_MD_CTX_new();
	EVP_PKEY *key = argc == 3 ? read_key(argv[1]) : NULL;
	double end, start;
	unsigned long n = 0;

	if (!key || !ready || !ctx || !begin(key, ready) || !sign(ready, ctx)) {
		fputs("usage: sign KEY.pem SECONDS\n", stderr);
		return 2;
	}
	start = cpu_seconds();
	end = start + strtod(argv[2], NULL);
	while (cpu_seconds() < end)
		for (int i = 0; i < 50; i++, n++)
			if (!sign(ready, ctx))
				return 1;
	printf("%.0f\n", (cpu_seconds() - start) / (double)n * 1e9);
	EVP_PKEY_free(key);
	EVP_MD_CTX_free(ctx);
	EVP_MD_CTX_free(ready);
	return 0;
}
