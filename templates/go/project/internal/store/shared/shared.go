// Package shared holds the queries that are the same on every engine, written once in the SQL that all of them understand.
// They are generated as for PostgreSQL; SQLite takes the same numbered parameters.
package shared

// Each converts every row.
func Each[R, T any](rows []R, convert func(R) T) []T {
	all := make([]T, len(rows))
	for i, row := range rows {
		all[i] = convert(row)
	}
	return all
}

// OneRow is absent when a change met no row.
func OneRow(changed int64, err, absent error) error {
	if err == nil && changed == 0 {
		return absent
	}
	return err
}
