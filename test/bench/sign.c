/*
 * test/bench/sign.c - what a signature alone costs: sign KEY.pem SECONDS
 *
 * Prints nanoseconds of CPU for one signature over 700 bytes, the length of a
 * JWT's first two parts, by OpenSSL's EVP on a key loaded once. Nothing of
 * dockpass is in it.
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

static int sign(EVP_PKEY *key, EVP_MD_CTX *ctx)
{
	static unsigned char text[700], out[1024];
	const char *digest = EVP_PKEY_is_a(key, "ED25519") ? NULL : "SHA256";
	size_t len = sizeof(out);

	text[0]++;
	if (EVP_PKEY_get_bits(key) == 384 && EVP_PKEY_is_a(key, "EC"))
		digest = "SHA384";
	/* A context is set up once; later calls keep its key and digest. */
	if (EVP_MD_CTX_get0_md(ctx) || EVP_MD_CTX_get_pkey_ctx(ctx))
		return EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, NULL,
					     NULL) == 1 &&
		       EVP_DigestSign(ctx, out, &len, text, sizeof(text)) == 1;
	return EVP_DigestSignInit_ex(ctx, NULL, digest, NULL, NULL, key,
				     NULL) == 1 &&
	       EVP_DigestSign(ctx, out, &len, text, sizeof(text)) == 1;
}

int main(int argc, char **argv)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY *key = argc == 3 ? read_key(argv[1]) : NULL;
	double end, begin;
	unsigned long n = 0;

	if (!key || !ctx || !sign(key, ctx)) {
		fputs("usage: sign KEY.pem SECONDS\n", stderr);
		return 2;
	}
	begin = cpu_seconds();
	end = begin + strtod(argv[2], NULL);
	while (cpu_seconds() < end)
		for (int i = 0; i < 50; i++, n++)
			if (!sign(key, ctx))
				return 1;
	printf("%.0f\n", (cpu_seconds() - begin) / (double)n * 1e9);
	EVP_PKEY_free(key);
	EVP_MD_CTX_free(ctx);
	return 0;
}
