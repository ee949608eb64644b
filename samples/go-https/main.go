// Go-https makes HTTPS calls and tells the time elsewhere. Compiled without
// cgo it is one static file, yet it opens other files while it runs: the CA
// bundle, the time zone data, /etc/passwd and a directory for temporary files.
package main

import (
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/user"
	"time"
)

// Exit codes: one for each thing that was required and is not there.
const (
	exitFailed = 1
	exitUsage  = 2
	exitRoots  = 3
	exitZones  = 4
	exitUser   = 5
	exitTemp   = 6
)

// A check looks for one thing that the program needs at run time.
type check struct {
	name     string
	exit     int
	run      func() (string, error)
	required *bool
}

func main() {
	checks := []check{
		{name: "roots", exit: exitRoots, run: roots},
		{name: "zones", exit: exitZones, run: zones},
		{name: "user", exit: exitUser, run: currentUser},
		{name: "temp", exit: exitTemp, run: tempFile},
	}
	for i := range checks {
		c := &checks[i]
		c.required = flag.Bool("require-"+c.name, false, fmt.Sprintf("exit %d if %s are not found", c.exit, c.name))
	}
	timeout := flag.Duration("timeout", 10*time.Second, "how long the request may take")
	flag.Usage = usage
	flag.Parse()
	switch flag.NArg() {
	case 0:
		os.Exit(selfTest(checks))
	case 1:
		os.Exit(get(flag.Arg(0), *timeout))
	default:
		usage()
		os.Exit(exitUsage)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: go-https [-require-roots] [-require-zones] [-require-user] [-require-temp]")
	fmt.Fprintln(os.Stderr, "       go-https [-timeout 10s] URL")
	flag.PrintDefaults()
}

// selfTest runs all checks and returns the exit code of the first that failed and was required.
func selfTest(checks []check) int {
	exit := 0
	fmt.Printf("uid: %d\n", os.Getuid())
	for _, c := range checks {
		found, err := c.run()
		if err == nil {
			fmt.Printf("%s: %s\n", c.name, found)
			continue
		}
		fmt.Printf("%s: missing: %v\n", c.name, err)
		if *c.required && exit == 0 {
			exit = c.exit
		}
	}
	return exit
}

// roots counts the certificates of the system. Without a CA bundle the pool is empty, and there is no error.
func roots() (string, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return "", err
	}
	count := len(pool.Subjects())
	if count == 0 {
		return "", fmt.Errorf("no CA certificates")
	}
	return fmt.Sprint(count), nil
}

func zones() (string, error) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return "", err
	}
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		return "", err
	}
	now := time.Now()
	return now.In(berlin).Format(time.RFC3339) + " in Berlin, " + now.In(tokyo).Format(time.RFC3339) + " in Tokyo", nil
}

// currentUser reads /etc/passwd; os/user takes $USER and $HOME, when both are set, for a user that is not there.
func currentUser() (string, error) {
	found, err := user.Current()
	if err != nil {
		return "", err
	}
	return found.Username + ", home " + found.HomeDir, nil
}

func tempFile() (string, error) {
	file, err := os.CreateTemp("", "go-https-")
	if err != nil {
		return "", err
	}
	defer os.Remove(file.Name())
	if _, err := file.WriteString("minpack\n"); err != nil {
		return "", err
	}
	return file.Name(), file.Close()
}

// get fetches url and returns the exit code.
func get(url string, timeout time.Duration) int {
	client := &http.Client{Timeout: timeout}
	response, err := client.Get(url)
	if err != nil {
		fmt.Fprintf(os.Stderr, "go-https: %v\n", err)
		return exitFailed
	}
	defer response.Body.Close()
	size, err := io.Copy(io.Discard, response.Body)
	if err != nil {
		fmt.Fprintf(os.Stderr, "go-https: %v\n", err)
		return exitFailed
	}
	fmt.Printf("%s: %s, %d bytes\n", url, response.Status, size)
	if response.StatusCode >= http.StatusBadRequest {
		return exitFailed
	}
	return 0
}
