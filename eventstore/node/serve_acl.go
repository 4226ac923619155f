package node

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// groupAll stands for every authenticated user in a list of rights.
const groupAll = "$all"

// right is what may be done with a stream.
type right uint8

const (
	rightRead right = iota
	rightWrite
	rightDelete
	rightMetaRead
	rightMetaWrite
	rights
)

// settingsStream holds, in its last event, lists of rights that replace the
// built-in ones.
const settingsStream = "$settings"

// acl is a list of who may do what; nil where nothing is said.
type acl [rights][]string

// may decides whether the caller may do something with a stream, with "$all"
// for the log. It is the one place where that is decided.
//
// The rights over a metastream are those over the metadata of its stream.
// Administrators may everything. For others the stream's own list counts where
// it says something, else the default for user streams (everybody who is
// authenticated) or for those whose name begins with "$" (administrators).
func (a *authority) may(ctx context.Context, r right, stream string) error {
	if a == nil {
		return nil
	}
	p := principalOf(ctx)
	if p == nil {
		return errAccessDenied
	}
	if of, isMeta := strings.CutPrefix(stream, "$$"); isMeta {
		stream = of
		switch r { //nolint:exhaustive // Nothing else can be done to metadata.
		case rightRead:
			r = rightMetaRead
		case rightWrite:
			r = rightMetaWrite
		default:
			return errAccessDenied
		}
	}
	if p.is(GroupAdmins) {
		return nil
	}
	roles, err := a.roles(ctx, r, stream)
	if err != nil {
		return refusalOf(err, stream)
	}
	for _, role := range roles {
		if role == groupAll || role == p.login || p.is(role) {
			return nil
		}
	}
	return errAccessDenied
}

// mayOperate decides whether the caller may create, change, delete, replay and
// restart persistent subscriptions, and scavenge. Reading a subscription is
// reading its stream.
func (a *authority) mayOperate(ctx context.Context) error {
	if a == nil {
		return nil
	}
	if p := principalOf(ctx); p != nil && (p.is(GroupAdmins) || p.is(GroupOps)) {
		return nil
	}
	return errAccessDenied
}

// roles are the logins and groups that have a right over a stream.
func (a *authority) roles(ctx context.Context, r right, stream string) ([]string, error) {
	system := strings.HasPrefix(stream, "$")
	last, err := a.e.lastEvent(ctx, metastream(stream))
	if err != nil {
		return nil, err
	}
	if last != nil {
		own, named := aclOf(last.Data)
		if own[r] != nil {
			return own[r], nil
		}
		switch named {
		case "$userStreamAcl":
			system = false
		case "$systemStreamAcl":
			system = true
		}
	}
	if last, err = a.e.lastEvent(ctx, settingsStream); err != nil {
		return nil, err
	}
	key, otherwise := "$userStreamAcl", groupAll
	if system {
		key, otherwise = "$systemStreamAcl", GroupAdmins
	}
	if last != nil {
		var defaults map[string]json.RawMessage
		if json.Unmarshal(last.Data, &defaults) == nil {
			if list := parseACL(defaults[key]); list[r] != nil {
				return list[r], nil
			}
		}
	}
	return []string{otherwise}, nil
}

// aclOf reads the rights in a stream's metadata, or the name of a default
// list. Metadata that are not JSON say nothing.
func aclOf(metadata []byte) (list acl, named string) {
	var keys struct {
		ACL json.RawMessage `json:"$acl"`
	}
	if json.Unmarshal(metadata, &keys) != nil || len(keys.ACL) == 0 || string(keys.ACL) == "null" {
		return list, ""
	}
	if json.Unmarshal(keys.ACL, &named) == nil {
		if named == "$userStreamAcl" || named == "$systemStreamAcl" {
			return list, named
		}
		return closedACL(), ""
	}
	return parseACL(keys.ACL), ""
}

// parseACL reads a list of rights, each given to one role or to several. What
// is given in another form is given to nobody.
func parseACL(text json.RawMessage) (list acl) {
	if len(text) == 0 {
		return list
	}
	var keys map[string]json.RawMessage
	if json.Unmarshal(text, &keys) != nil {
		return closedACL()
	}
	for i, key := range []string{rightRead: "$r", rightWrite: "$w", rightDelete: "$d", rightMetaRead: "$mr", rightMetaWrite: "$mw"} {
		value, said := keys[key]
		if !said || string(value) == "null" {
			continue
		}
		var one string
		if json.Unmarshal(value, &one) == nil {
			list[i] = []string{one}
			continue
		}
		list[i] = []string{}
		var several []string
		if json.Unmarshal(value, &several) == nil {
			list[i] = slices.DeleteFunc(several, func(role string) bool { return role == "" })
		}
		if list[i] == nil {
			list[i] = []string{}
		}
	}
	return list
}

// closedACL gives no right to anybody but administrators.
func closedACL() (list acl) {
	for i := range list {
		list[i] = []string{}
	}
	return list
}
