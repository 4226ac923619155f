package bench

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
)

// Above these the wall clock says more about the neighbours than about us.
const (
	maxLoad   = 3.0
	maxUnrest = 1.3
)

// line is one comparison: ours beside another, or a counted fact.
type line struct{ row, what, wall, cpu, target, verdict string }

// spread is the median of some figures, the least and the most.
type spread struct{ median, least, most float64 }

func spreadOf(n int, figure func(i int) float64) spread {
	all := make([]float64, n)
	for i := range all {
		all[i] = figure(i)
	}
	slices.Sort(all)
	return spread{all[n/2], all[0], all[n-1]}
}

func (s spread) String() string { return fmt.Sprintf("%.2f (%.2f..%.2f)", s.median, s.least, s.most) }

// beside compares ours with another, without a target when wall is 0.
func (w *world) beside(row, name string, ours, other []sample, wall float64) line {
	ratio := spreadOf(len(ours), func(i int) float64 { return ours[i].rate() / other[i].rate() })
	cpu := spreadOf(len(ours), func(i int) float64 { return ours[i].cpu() / other[i].cpu() })
	rates := spreadOf(len(other), func(i int) float64 { return other[i].rate() })
	mine := spreadOf(len(ours), func(i int) float64 { return ours[i].rate() })
	l := line{
		row: row, what: fmt.Sprintf("%.0f/s beside %s %.0f/s", mine.median, name, rates.median),
		wall: ratio.String(), cpu: cpu.String(), target: "-", verdict: "-",
	}
	if wall > 0 {
		l.target = fmt.Sprintf("wall >= %.2f", wall)
		l.verdict = verdict(ratio.median >= wall)
		if w.load > maxLoad || rates.most/rates.least > maxUnrest {
			l.verdict = fmt.Sprintf("NOT JUDGED (load %.1f, probe max/min %.2f)", w.load, rates.most/rates.least)
		}
	}
	return l
}

// cpuGate judges the processor time per operation, on any machine.
func cpuGate(row, name string, ours, other []sample, most float64) line {
	cpu := spreadOf(len(ours), func(i int) float64 { return ours[i].cpu() / other[i].cpu() })
	return line{
		row: row, what: "CPU per operation, of " + name, wall: "-", cpu: cpu.String(),
		target: fmt.Sprintf("CPU <= %.2f", most), verdict: verdict(cpu.median <= most),
	}
}

// fact judges something counted, of which there is a least or a most.
func fact(row, what string, samples []sample, count func(sample) float64, least, most float64) line {
	s := spreadOf(len(samples), func(i int) float64 { return count(samples[i]) })
	l := line{row: row, what: what + ": " + s.String(), wall: "-", cpu: "-", verdict: verdict(s.median >= least && (most == 0 || s.median <= most))}
	if l.target = fmt.Sprintf(">= %g", least); most > 0 {
		l.target = fmt.Sprintf("<= %g", most)
	}
	if least == 0 && most == 0 {
		l.target, l.verdict = "-", "-" // reported, no target
	}
	return l
}

func verdict(met bool) string {
	if met {
		return "PASS"
	}
	return "MISS"
}

// print writes the table, which is also Markdown.
func (w *world) print(lines []line) error {
	fmt.Fprintf(w.Out, "%d rounds in turns; ratios are median (min..max) of the rounds; 1-minute load at the start %.1f\n\n", w.Rounds, w.load)
	tw := tabwriter.NewWriter(w.Out, 0, 0, 1, ' ', 0)
	put := func(cells ...string) { fmt.Fprintln(tw, "| "+strings.Join(cells, "\t| ")+"\t|") }
	put("row", "what", "wall ratio", "CPU ratio", "target", "verdict")
	put("---", "---", "---", "---", "---", "---")
	for _, l := range lines {
		put(l.row, l.what, l.wall, l.cpu, l.target, l.verdict)
	}
	return tw.Flush()
}
