package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// sample is what one turn gave.
type sample struct {
	ops     int
	elapsed time.Duration
	// slow is the 99th percentile of the answers' times, where they were taken.
	slow time.Duration
	// self is the processor time of this process, postgres that of the private
	// Postgres.
	self, postgres time.Duration
	// statements and transactions went to Postgres, syncs to the disk.
	statements, transactions, syncs int64
	// allocations are this process's, where they were counted.
	allocations uint64
	// logins are the statements that found out who asks.
	logins int64
}

func (s sample) rate() float64 { return float64(s.ops) / s.elapsed.Seconds() }

// cpu is the processor time per operation in microseconds.
func (s sample) cpu() float64 { return per(s.self+s.postgres, s.ops) }

func per(d time.Duration, ops int) float64 {
	return float64(d) / float64(time.Microsecond) / float64(max(ops, 1))
}

// measured takes the figures of one turn, which answers its operations.
func (w *world) measured(turn func() (int, error)) (sample, error) {
	self, server, start := selfTime(), serverTime(w.postmaster), time.Now()
	statements, transactions, logins := w.counts.statements.Load(), w.counts.transactions.Load(), w.counts.logins.Load()
	ops, err := turn()
	return sample{
		ops: ops, elapsed: time.Since(start), self: selfTime() - self, postgres: serverTime(w.postmaster) - server,
		statements: w.counts.statements.Load() - statements, transactions: w.counts.transactions.Load() - transactions,
		logins: w.counts.logins.Load() - logins,
	}, err
}

func selfTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// postmaster is the process of the Postgres in a folder, 0 when unknown.
func postmaster(dir string) int {
	text, _ := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid")) // unknown is 0
	first, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(first) // unknown is 0
	return pid
}

// serverTime is the processor time of a process and its children, those that
// ended included.
func serverTime(pid int) time.Duration {
	if pid == 0 {
		return 0
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Linux runs
	var ticks int
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		own := file == fmt.Sprintf("/proc/%d/stat", pid)
		f := strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
		if !own && f[1] != strconv.Itoa(pid) {
			continue
		}
		last := 13
		if own {
			last = 15 // with the children that ended
		}
		for _, field := range f[11:last] {
			n, _ := strconv.Atoi(field) // the kernel writes numbers
			ticks += n
		}
	}
	return time.Duration(ticks) * tick
}

// loadAverage is the load of the last minute.
func loadAverage() float64 {
	text, _ := os.ReadFile("/proc/loadavg") // unknown is 0
	first, _, _ := strings.Cut(string(text), " ")
	load, _ := strconv.ParseFloat(first, 64) // unknown is 0
	return load
}

// counts counts what goes to Postgres.
type counts struct{ statements, transactions, logins atomic.Int64 }

func (c *counts) count(sql string) {
	switch {
	case strings.HasPrefix(sql, "begin"):
		c.transactions.Add(1)
	case sql == "commit", sql == "rollback":
	case strings.Contains(sql, "vault.session"), strings.Contains(sql, "read.rights"):
		c.logins.Add(1)
	default:
		c.statements.Add(1)
	}
}

// TraceQueryStart counts a statement.
func (c *counts) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	c.count(d.SQL)
	return ctx
}

// TraceQueryEnd has nothing to count.
func (*counts) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart has nothing to count.
func (*counts) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

// TraceBatchQuery counts a statement of a batch.
func (c *counts) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	c.count(d.SQL)
}

// TraceBatchEnd has nothing to count.
func (*counts) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}
