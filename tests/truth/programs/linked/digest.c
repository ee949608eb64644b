// libraries: crypto
// needs:
#include <openssl/evp.h>
#include <stdio.h>

int main(void) {
	unsigned char out[EVP_MAX_MD_SIZE];
	unsigned size;
	EVP_Digest("x", 1, out, &size, EVP_sha256(), 0);
	return printf("%u\n", size) < 0;
}
