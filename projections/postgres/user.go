package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// systemUser runs the server when we are root, since Postgres refuses root.
const systemUser = "hostfold"

// user is who runs the server.
type user struct {
	uid, gid uint32
	// other is true when that is not who we are.
	other bool
}

// runAs is the current user, or as root the system user, which is made when it
// is missing.
func runAs(ctx context.Context) (user, error) {
	if os.Geteuid() != 0 {
		return user{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}, nil //nolint:gosec // ids are 32 bits
	}
	u, err := lookupOrMake(ctx)
	if err != nil {
		return user{}, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return user{}, fmt.Errorf("uid of %s: %w", systemUser, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return user{}, fmt.Errorf("gid of %s: %w", systemUser, err)
	}
	return user{uid: uint32(uid), gid: uint32(gid), other: true}, nil
}

// lookupOrMake makes the system user when it is missing, one process at a time.
func lookupOrMake(ctx context.Context) (*osuser.User, error) {
	u, err := osuser.Lookup(systemUser)
	if unknown := osuser.UnknownUserError(""); !errors.As(err, &unknown) {
		return u, err
	}
	lock, err := os.Open("/etc")
	if err != nil {
		return nil, fmt.Errorf("lock the list of users: %w", err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock the list of users: %w", err)
	}
	if u, err := osuser.Lookup(systemUser); err == nil {
		return u, nil
	}
	cmd := exec.CommandContext(ctx, "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", systemUser)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("postgres does not run as root, and the system user %s could not be made: make it (useradd --system %s) or run as another user: %w: %s", systemUser, systemUser, err, out)
	}
	return osuser.Lookup(systemUser)
}

// home makes the folder and gives it to the user. When the user cannot get to
// it, a folder under the fallback is used in its place.
func (u user) home(dir string, c Config) (string, error) {
	if u.other {
		if blocked := u.blockedBy(filepath.Dir(dir)); blocked != "" {
			base := c.Fallback
			if base == "" {
				base = "/var/lib/hostfold"
			}
			sum := sha256.Sum256([]byte(dir))
			moved := filepath.Join(base, hex.EncodeToString(sum[:8]))
			c.Say(fmt.Sprintf("The private Postgres runs as the user %s, which cannot enter %s; its data is kept in %s.", systemUser, blocked, moved))
			dir = moved
		}
	}
	// Only the last folder is the user's; the ones above are made so that it can get there.
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // the user must be able to enter it
		return "", explain(fmt.Errorf("make the Postgres folder: %w", err), err.Error(), dir)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", explain(fmt.Errorf("make the Postgres folder: %w", err), err.Error(), dir)
	}
	return dir, u.own(dir)
}

// own gives a file or folder of ours to the user.
func (u user) own(path string) error {
	if !u.other {
		return nil
	}
	if err := os.Lchown(path, int(u.uid), int(u.gid)); err != nil {
		return fmt.Errorf("give %s to the user %s: %w", path, systemUser, err)
	}
	return nil
}

// blockedBy is the first folder on the way to dir that the user cannot enter,
// "" when there is none. Folders that do not exist yet are made enterable.
func (u user) blockedBy(dir string) string {
	if parent := filepath.Dir(dir); parent != dir {
		if blocked := u.blockedBy(parent); blocked != "" {
			return blocked
		}
	}
	info, err := os.Stat(dir)
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	need := fs.FileMode(0o001)
	switch {
	case st.Uid == u.uid:
		need = 0o100
	case st.Gid == u.gid:
		need = 0o010
	}
	if info.Mode().Perm()&need == 0 {
		return dir
	}
	return ""
}

// mayRun refuses binaries that the user cannot get to.
func (u user) mayRun(b Binaries) error {
	if !u.other {
		return nil
	}
	if blocked := u.blockedBy(b.Dir); blocked != "" {
		return fmt.Errorf("the user %s, which runs the private Postgres, cannot enter %s, where its binaries are: install PostgreSQL for everybody (apt-get install postgresql)", systemUser, blocked)
	}
	return nil
}
