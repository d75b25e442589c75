// Command compose_config loads compose files as `docker compose config` does: variables, references and all.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	for _, path := range os.Args[1:] {
		if err := load(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			os.Exit(1)
		}
	}
}

func load(path string) error {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithOsEnv, cli.WithInterpolation(true), cli.WithConsistency(true))
	if err != nil {
		return err
	}
	_, err = options.LoadProject(context.Background())
	return err
}
