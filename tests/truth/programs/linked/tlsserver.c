// libraries: ssl crypto
// needs:
#include <openssl/ssl.h>
#include <stdio.h>

int main(int argc, char **argv) {
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	SSL *server = SSL_new(context);
	printf("%d\n", SSL_accept(server));
	return 0;
}
