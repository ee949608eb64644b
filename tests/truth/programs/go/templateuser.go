// A template, by which all exported methods of its values stay in the program.
// needs: passwd
package main

import (
	"os"
	"os/user"
	"text/template"
)

func main() {
	found, _ := user.Current()
	template.Must(template.New("").Parse("{{.Username}}")).Execute(os.Stdout, found)
}
