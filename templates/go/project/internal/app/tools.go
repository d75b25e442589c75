package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

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

func openapiCommand(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "openapi",
		Short: "Print the OpenAPI document",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			document, err := openapi()
			if err != nil {
				return err
			}
			_, err = env.Stdout.Write(document)
			return err
		},
	}
}

func openapi() ([]byte, error) {
	compact, err := document()
	if err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, compact, "", "  "); err != nil {
		return nil, err
	}
	indented.WriteByte('\n')
	return indented.Bytes(), nil
}

func healthcheckCommand(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Succeed if the running service is ready; for images without a shell",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := env.config()
			if err != nil {
				return err
			}
			url := "http://" + reachable(c.Addr()) + "/readyz"
			req, err := http.NewRequestWithContext(cmd.Context(), http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			resp, err := (&http.Client{Timeout: 3 * time.Second}).Do(req)
			if err != nil {
				return err
			}
			defer func() { _ = resp.Body.Close() }()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("not ready: status %d", resp.StatusCode)
			}
			return nil
		},
	}
}

// reachable turns an address that listens everywhere into one that can be called.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || host != "" && (ip == nil || !ip.IsUnspecified()) {
		return addr
	}
	return net.JoinHostPort("localhost", port)
}
