package vault

import "slices"

// SealedColumns are the columns that a rotation goes through.
func SealedColumns() []string {
	var all []string
	for _, t := range sealedTables {
		all = append(all, t.name+"."+t.column)
	}
	slices.Sort(all)
	return all
}
