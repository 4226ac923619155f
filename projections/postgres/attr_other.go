//go:build !linux

package postgres

import "syscall"

// childAttr puts a child in its own process group, so that a Ctrl-C on the
// terminal reaches us alone.
func childAttr(u user) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if u.other {
		attr.Credential = &syscall.Credential{Uid: u.uid, Gid: u.gid}
	}
	return attr
}
