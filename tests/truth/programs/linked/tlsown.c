// A client that checks servers against a root of its own.
// libraries: ssl crypto
// needs:
#include <openssl/ssl.h>
#include <stdio.h>

int main(int argc, char **argv) {
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	return !SSL_CTX_load_verify_locations(context, argv[1], 0) || SSL_connect(SSL_new(context)) < 0;
}
