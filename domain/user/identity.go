package user

// Identity is who a user is, under a key that outlives the profile's: the law
// wants the civil identity of customers known for years after the contract's
// end (décret 2021-1362). Whatever says who the user is keeps a copy; nothing of
// the portal reads it.
type Identity struct {
	Name  string `json:"name" personal:"self,identity"`
	Email string `json:"email" personal:"self,identity"`
}
