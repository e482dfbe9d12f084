/* token/pem.h - what everybody has who reads or writes PEM with OpenSSL. */
#pragma once

#include <openssl/pem.h>

void BIO_cleanup(BIO **bio); /* AUTO(BIO) */
/*
 * For PEM_read_bio_*(): a passphrase cannot be asked for, nobody sits there. A
 * key that has one is not read.
 */
int pem_no_passphrase(char *buf, int size, int writes, void *arg);
