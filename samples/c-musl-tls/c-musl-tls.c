/* Prepares TLS as a client does, and counts the CA certificates that OpenSSL finds by itself. */
#include <stdio.h>
#include <stdlib.h>

#include "openssl.h"

enum { EXIT_ROOTS = 3 };

static void print_sha256(const char *text, size_t size)
{
    unsigned char digest[32];
    SHA256((const unsigned char *)text, size, digest);
    printf("sha256(%s): ", text);
    for (size_t n = 0; n < sizeof digest; n++)
        printf("%02x", digest[n]);
    putchar('\n');
}

/* How many certificates the default paths gave; -1 if there can be no context. Those of a directory are loaded one
   by one when a peer needs them, so this counts the ones of the default file. */
static int count_roots(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        return -1;
    int loaded = SSL_CTX_set_default_verify_paths(context);
    int count = loaded == 1 ? OPENSSL_sk_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(context))) : 0;
    SSL_CTX_free(context);
    return count;
}

int main(void)
{
    printf("openssl: %s\n", OpenSSL_version(0));
    print_sha256("minpack", 7);
    int count = count_roots();
    if (count < 0) {
        fputs("c-musl-tls: cannot make a TLS context\n", stderr);
        return EXIT_FAILURE;
    }
    printf("roots: %d, default file %s\n", count, X509_get_default_cert_file());
    return count > 0 ? 0 : EXIT_ROOTS;
}
