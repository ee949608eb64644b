/* The few functions of OpenSSL 3 that c-musl-tls calls, declared here so that no OpenSSL need be installed to build it.
   `stubs.c` defines the same ones; the real ones are in the base that the program runs on. */
#include <stddef.h>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_method_st SSL_METHOD;
typedef struct x509_store_st X509_STORE;
typedef struct stack_st OPENSSL_STACK;

/* libssl.so.3 */
const SSL_METHOD *TLS_client_method(void);
SSL_CTX *SSL_CTX_new(const SSL_METHOD *method);
void SSL_CTX_free(SSL_CTX *context);
int SSL_CTX_set_default_verify_paths(SSL_CTX *context);
X509_STORE *SSL_CTX_get_cert_store(const SSL_CTX *context);

/* libcrypto.so.3 */
const char *OpenSSL_version(int what);
const char *X509_get_default_cert_file(void);
OPENSSL_STACK *X509_STORE_get0_objects(const X509_STORE *store);
int OPENSSL_sk_num(const OPENSSL_STACK *stack);
unsigned char *SHA256(const unsigned char *data, size_t size, unsigned char *digest);
