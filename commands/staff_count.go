package commands

import "context"

// CountAdmin puts a staff member on the roster that is an admin and, after a
// crash, is not counted. A process manager calls it for everybody who became an
// admin, and once more for who was taken off and may have stayed one.
func (d *Dispatcher) CountAdmin(ctx context.Context, call Call, id string) error {
	return d.countAdmin(ctx, call, id)
}
