/* token/pem.c - see the header. */
#include "token/pem.h"

void BIO_cleanup(BIO **bio)
{
	BIO_free(*bio);
}

int pem_no_passphrase(char *buf, int size, int writes, void *arg)
{
	(void)buf, (void)size, (void)writes, (void)arg;
	return -1;
}
