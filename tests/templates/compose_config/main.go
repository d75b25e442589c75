// Command compose_config loads compose files as `docker compose config` does: variables, references and all.
// It prints the environment of each service, one line of JSON a file.
package main

import (
	"context"
	"encoding/json"
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
	options, err := cli.NewProjectOptions([]string{path}, cli.WithOsEnv, cli.WithEnvFiles(), cli.WithDotEnv, cli.WithInterpolation(true), cli.WithConsistency(true))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	environments := map[string]map[string]*string{}
	for name, service := range project.Services {
		environments[name] = service.Environment
	}
	return json.NewEncoder(os.Stdout).Encode(environments)
}
