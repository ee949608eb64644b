// Large is a program of the size that real ones have: a client, a server and
// a set of converters, from the standard library alone. It exists to be packed.
package main

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"compress/lzw"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"debug/dwarf"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/asn1"
	"encoding/csv"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"expvar"
	"fmt"
	"go/ast"
	"go/doc"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	htmltemplate "html/template"
	"io"
	"log/slog"
	"math/big"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httputil"
	_ "net/http/pprof"
	"net/mail"
	"net/rpc"
	"net/rpc/jsonrpc"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"text/tabwriter"
	"text/template"
	"time"
)

// commands maps what can be asked of the program to what it does with its argument.
var commands = map[string]func(argument string) error{
	"archive":   archive,
	"certify":   certify,
	"convert":   convert,
	"fetch":     fetch,
	"inspect":   inspect,
	"mail":      sendMail,
	"page":      page,
	"profile":   profile,
	"run":       run,
	"serve":     serve,
	"time":      tellTime,
	"typeset":   typeset,
	"typecheck": typecheck,
}

func main() {
	if len(os.Args) < 2 {
		for name := range commands {
			fmt.Println(name)
		}
		return
	}
	command, known := commands[os.Args[1]]
	if !known {
		fmt.Fprintf(os.Stderr, "large: no command %q\n", os.Args[1])
		os.Exit(2)
	}
	if err := command(strings.Join(os.Args[2:], " ")); err != nil {
		slog.Error("failed", "command", os.Args[1], "error", err)
		os.Exit(1)
	}
}

func archive(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if reader, err := zip.NewReader(bytes.NewReader(data), int64(len(data))); err == nil {
		for _, file := range reader.File {
			fmt.Println(file.Name, file.UncompressedSize64)
		}
		return nil
	}
	readers := []io.Reader{
		bytes.NewReader(data),
		bzip2.NewReader(bytes.NewReader(data)),
		flate.NewReader(bytes.NewReader(data)),
		lzw.NewReader(bytes.NewReader(data), lzw.LSB, 8),
	}
	if inflated, err := zlib.NewReader(bytes.NewReader(data)); err == nil {
		readers = append(readers, inflated)
	}
	for _, reader := range readers {
		files := tar.NewReader(reader)
		for header, err := files.Next(); err == nil; header, err = files.Next() {
			fmt.Println(header.Name, header.Size)
		}
	}
	return nil
}

func certify(name string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: name},
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{name},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	fmt.Println(len(der), large.N.BitLen(), len(public))
	return err
}

func convert(text string) error {
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		return err
	}
	gob.Register(map[string]any{})
	gob.Register([]any{})
	var buffer bytes.Buffer
	if err := gob.NewEncoder(&buffer).Encode(&value); err != nil {
		return err
	}
	encoded, err := asn1.Marshal(buffer.Bytes())
	if err != nil {
		return err
	}
	if err := csv.NewWriter(os.Stdout).Write([]string{fmt.Sprint(len(encoded)), text}); err != nil {
		return err
	}
	return xml.NewEncoder(os.Stdout).Encode(struct{ Text string }{text})
}

func fetch(url string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	client := &http.Client{Jar: jar, Timeout: time.Minute}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	dump, err := httputil.DumpResponse(response, true)
	fmt.Printf("%s\n", dump)
	return err
}

func inspect(name string) error {
	var info *dwarf.Data
	if file, err := elf.Open(name); err == nil {
		info, _ = file.DWARF()
	} else if file, err := macho.Open(name); err == nil {
		info, _ = file.DWARF()
	} else if file, err := pe.Open(name); err == nil {
		info, _ = file.DWARF()
	} else {
		return err
	}
	if info == nil {
		return fmt.Errorf("%s has no debugging information", name)
	}
	entry, err := info.Reader().Next()
	fmt.Println(entry)
	return err
}

func sendMail(text string) error {
	address, err := mail.ParseAddress(text)
	if err != nil {
		return err
	}
	if _, err := textproto.NewReader(bufio.NewReader(strings.NewReader(text))).ReadLine(); err != nil {
		return err
	}
	return smtp.SendMail("localhost:25", nil, address.Address, []string{address.Address}, []byte("hello"))
}

func page(text string) error {
	parsed, err := htmltemplate.New("page").Parse(text)
	if err != nil {
		return err
	}
	var form multipart.Form
	return parsed.Execute(os.Stdout, form.Value)
}

func profile(name string) error {
	file, err := os.CreateTemp("", name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := trace.Start(file); err != nil {
		return err
	}
	defer trace.Stop()
	return pprof.WriteHeapProfile(file)
}

func run(name string) error {
	account, err := user.Current()
	if err != nil {
		return err
	}
	output, err := exec.Command(name).CombinedOutput()
	fmt.Println(account.HomeDir, string(regexp.MustCompile(`\s+`).ReplaceAll(output, []byte(" "))))
	return err
}

// Echo is what serve offers over net/rpc.
type Echo struct{}

// Say gives its argument back.
func (Echo) Say(text string, answer *string) error {
	*answer = text
	return nil
}

func serve(address string) error {
	if err := rpc.Register(Echo{}); err != nil {
		return err
	}
	rpc.HandleHTTP()
	expvar.NewString("address").Set(address)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	go rpc.ServeCodec(jsonrpc.NewServerCodec(os.Stdin))
	server := &http.Server{TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	return server.Serve(listener)
}

func tellTime(zone string) error {
	location, err := time.LoadLocation(zone)
	if err == nil {
		fmt.Println(time.Now().In(location))
	}
	return err
}

func typeset(text string) error {
	parsed, err := template.New("text").Parse(text)
	if err != nil {
		return err
	}
	writer := tabwriter.NewWriter(os.Stdout, 0, 8, 1, ' ', 0)
	defer writer.Flush()
	return parsed.Execute(writer, os.Environ())
}

func typecheck(name string) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	config := types.Config{Importer: importer.ForCompiler(files, "source", nil)}
	checked, err := config.Check(name, files, []*ast.File{file}, nil)
	if err != nil {
		return err
	}
	documented, err := doc.NewFromFiles(files, []*ast.File{file}, name)
	if err != nil {
		return err
	}
	fmt.Println(checked.Scope().Names(), documented.Name)
	return format.Node(os.Stdout, files, file)
}
