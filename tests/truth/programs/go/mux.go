// needs:
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
)

func main() {
	mux := http.NewServeMux()
	mux.Handle("/json", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(r.Header)
	}))
	server := http.Server{Addr: "127.0.0.1:0", Handler: mux}
	fmt.Println(server.ListenAndServe())
}
