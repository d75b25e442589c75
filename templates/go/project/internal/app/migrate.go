package app

import (
	"fmt"

	"github.com/spf13/cobra"
)

func migrateCommand(env Env) *cobra.Command {
	migrate := &cobra.Command{Use: "migrate", Short: "Change the database's schema", Args: cobra.NoArgs}
	migrate.AddCommand(&cobra.Command{
		Use:   "up",
		Short: "Apply every pending migration",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := env.config()
			if err != nil {
				return err
			}
			db, err := env.openDatabase(cmd.Context(), c)
			if err != nil {
				return err
			}
			defer func() { _ = db.Close() }()
			applied, err := db.Migrate(cmd.Context())
			if err != nil {
				return fmt.Errorf("migrate the database: %w", err)
			}
			_, err = fmt.Fprintf(env.Stdout, "applied %d migrations\n", applied)
			return err
		},
	})
	return migrate
}
