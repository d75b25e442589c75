package app

import "github.com/spf13/cobra"

// commands are what the program can do.
func commands(env Env) []*cobra.Command {
	return []*cobra.Command{
		serveCommand(env),
		migrateCommand(env),
		openapiCommand(env),
		healthcheckCommand(env),
		versionCommand(env),
	}
}
