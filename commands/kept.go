package commands

import "sync"

// keeping is met by a command on a stream that grows long, holds no personal
// data, and tells a repeat by its state: its fold is kept for the next command,
// which reads only what came after.
type keeping interface{ keepsState() }

// keptStates holds folds of streams. A state may be changed in place by
// folding on, so whoever takes one out is the only one to have it, and puts it
// back only when all that was folded is in the store.
type keptStates struct {
	mu  sync.Mutex
	all map[string]any
}

// maxKept bounds the streams that are kept; a year has two series.
const maxKept = 16

// taken takes a stream's fold out, nothing when there is none.
func taken[S any](k *keptStates, stream string) folded[S] {
	k.mu.Lock()
	defer k.mu.Unlock()
	f, _ := k.all[stream].(folded[S])
	delete(k.all, stream)
	return f
}

func (k *keptStates) put(stream string, f any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.all == nil || len(k.all) >= maxKept {
		k.all = map[string]any{}
	}
	k.all[stream] = f
}
