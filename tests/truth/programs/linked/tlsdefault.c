// Loads the roots of the system, and says how many there are.
// libraries: ssl crypto
// needs: certs
#include <openssl/ssl.h>
#include <stdio.h>

int main(void) {
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_default_verify_paths(context);
	printf("%d\n", sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(context))));
	return sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(context))) == 0;
}
