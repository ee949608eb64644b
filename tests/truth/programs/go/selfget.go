// Serves TLS on a port of its own and asks itself, against the roots of the system; or makes what it needs for that.
// needs: certs dns
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		create(os.Args[1])
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "hello") })
	go http.ServeTLS(listener, handler, "/tls/cert.pem", "/tls/key.pem")
	response, err := http.Get("https://" + listener.Addr().String())
	check(err)
	fmt.Println(response.Status)
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// create writes a root, and a certificate and key for 127.0.0.1 that it signed.
func create(directory string) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Truth Root"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(240 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	rootBytes, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	check(err)
	leafBytes, err := x509.CreateCertificate(rand.Reader, leaf, root, leafKey.Public(), rootKey)
	check(err)
	keyBytes, err := x509.MarshalECPrivateKey(leafKey)
	check(err)
	write(filepath.Join(directory, "root.pem"), "CERTIFICATE", rootBytes)
	write(filepath.Join(directory, "cert.pem"), "CERTIFICATE", leafBytes)
	write(filepath.Join(directory, "key.pem"), "EC PRIVATE KEY", keyBytes)
}

func write(path, kind string, data []byte) {
	check(os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o644))
}
