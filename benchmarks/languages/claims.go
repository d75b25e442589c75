// Package claims has the three workloads that all stacks are compared by.
package claims

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

type item struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Tags  []string `json:"tags"`
	Price float64  `json:"price"`
}

type list struct {
	Body struct {
		Items []item `json:"items"`
	}
}

type number struct {
	Body struct {
		Value int `json:"value"`
	}
}

// Register adds the routes.
func Register(api huma.API) {
	var items list
	for i := range 20 {
		items.Body.Items = append(items.Body.Items, item{i, fmt.Sprintf("item %d", i), []string{"a", "b"}, float64(i) * 1.25})
	}
	huma.Register(api, operation("json"), func(context.Context, *struct{}) (*list, error) { return &items, nil })
	huma.Register(api, operation("io"), func(context.Context, *struct{}) (*number, error) {
		time.Sleep(50 * time.Millisecond)
		return &number{}, nil
	})
	huma.Register(api, operation("cpu"), func(context.Context, *struct{}) (*number, error) {
		found := &number{}
		found.Body.Value = primes(200_000)
		return found, nil
	})
}

func operation(name string) huma.Operation {
	return huma.Operation{OperationID: "claims-" + name, Method: http.MethodGet, Path: "/claims/" + name}
}

func primes(limit int) int {
	composite := make([]byte, limit+1)
	count := 0
	for i := 2; i <= limit; i++ {
		if composite[i] == 1 {
			continue
		}
		count++
		for j := i * i; j <= limit; j += i {
			composite[j] = 1
		}
	}
	return count
}
