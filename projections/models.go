package projections

// Models is every read model. Each name is a lane and never changes.
func Models() []Model {
	return []Model{
		rights(),
		dashboards(),
		accounts(),
		delegations(),
		logins(),
		services(),
		domainNames(),
		contacts(),
		invoices(),
		creditNotes(),
		tickets(),
		notifications(),
		news(),
		products(),
		pointers(),
		history(),
		erasures(),
		mails(),
		staffMembers(),
		inspections(),
	}
}
