// needs:
package main

import (
	"fmt"
	"html/template"
	"net/http"
)

var page = template.Must(template.New("").Parse("<p>{{.Host}} {{.UserAgent}}</p>"))

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { page.Execute(w, r) })
	fmt.Println(http.ListenAndServe("127.0.0.1:0", nil))
}
