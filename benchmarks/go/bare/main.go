// Command bare is net/http with JSON routes and nothing else: what the generated service is compared with.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

type item struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Tags  []string `json:"tags"`
	Price float64  `json:"price"`
}

func main() {
	list := struct {
		Items []item `json:"items"`
	}{}
	for i := range 20 {
		list.Items = append(list.Items, item{i, fmt.Sprintf("item %d", i), []string{"a", "b"}, float64(i) * 1.25})
	}
	answer := func(path string, value any) {
		http.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(value)
		})
	}
	answer("/livez", map[string]string{"status": "ok"})
	answer("/claims/json", list)
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
