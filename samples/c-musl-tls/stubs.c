/* Stand-ins for libssl.so.3 (with -DLIBSSL) and libcrypto.so.3, to link against and never to run with. */
#include "openssl.h"

#ifdef LIBSSL
const SSL_METHOD *TLS_client_method(void) { return 0; }
SSL_CTX *SSL_CTX_new(const SSL_METHOD *method) { (void)method; return 0; }
void SSL_CTX_free(SSL_CTX *context) { (void)context; }
int SSL_CTX_set_default_verify_paths(SSL_CTX *context) { (void)context; return 0; }
X509_STORE *SSL_CTX_get_cert_store(const SSL_CTX *context) { (void)context; return 0; }
#else
const char *OpenSSL_version(int what) { (void)what; return 0; }
const char *X509_get_default_cert_file(void) { return 0; }
OPENSSL_STACK *X509_STORE_get0_objects(const X509_STORE *store) { (void)store; return 0; }
int OPENSSL_sk_num(const OPENSSL_STACK *stack) { (void)stack; return 0; }
unsigned char *SHA256(const unsigned char *data, size_t size, unsigned char *digest) { (void)data; (void)size; return digest; }
#endif
