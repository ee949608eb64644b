// needs:
package main

import (
	"encoding/json"
	"os"
)

func main() { json.NewEncoder(os.Stdout).Encode(map[string]any{"a": []int{1, 2}}) }
