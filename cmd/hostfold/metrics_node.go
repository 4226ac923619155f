package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hostfold/hostfold/eventstore/node"
)

// watchNode adds what is read off the embedded node at each scrape.
func (m *metrics) watchNode(engine *node.Engine) {
	if engine != nil {
		m.registry.MustRegister(newNodeCollector(engine))
	}
}

// nodeCollector reports the embedded node.
type nodeCollector struct {
	engine *node.Engine
	appends, refused, events, read,
	group, sync, page,
	subscriptions, slow, behind, head, disk,
	scavenging, scavenged, givenBack *prometheus.Desc
}

func newNodeCollector(engine *node.Engine) nodeCollector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("hostfold_node_"+name, help, nil, nil)
	}
	return nodeCollector{
		engine:        engine,
		appends:       desc("appends_total", "Appends that were accepted."),
		refused:       desc("appends_refused_total", "Appends that were refused."),
		events:        desc("events_appended_total", "Events that were appended."),
		read:          desc("events_read_total", "Events that reads and subscriptions answered."),
		group:         desc("append_group_seconds", "Time from a group of appends being gathered until it was durable."),
		sync:          desc("sync_seconds", "Time that a group of appends waited for the disk."),
		page:          desc("read_page_seconds", "Time of one page of a read or a subscription."),
		subscriptions: desc("subscriptions", "Subscriptions of outside clients."),
		slow:          desc("slow_subscriptions", "Subscriptions more than 10000 positions behind, or waiting for their client for more than a second."),
		behind:        desc("subscription_behind_events", "Positions that the hindmost subscription was behind the head at its last frame."),
		head:          desc("head_position", "Durable position."),
		disk:          desc("disk_bytes", "Disk space that the log takes."),
		scavenging:    desc("scavenging", "1 while a scavenge is under way."),
		scavenged:     desc("scavenged_events_total", "Events that scavenges removed."),
		givenBack:     desc("scavenged_bytes_total", "Disk space that scavenges gave back."),
	}
}

// Describe names what is collected.
func (c nodeCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect reads the node.
func (c nodeCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.engine.Stats()
	count := func(d *prometheus.Desc, v uint64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	latency := func(d *prometheus.Desc, l node.LatencyStats) {
		ch <- prometheus.MustNewConstHistogram(d, l.Count, l.Sum, l.Buckets)
	}
	count(c.appends, s.Appends)
	count(c.refused, s.Refused)
	count(c.events, s.Events)
	count(c.read, s.ReadEvents)
	latency(c.group, s.Group)
	latency(c.sync, s.Sync)
	latency(c.page, s.Read)
	gauge(c.subscriptions, float64(s.Subscriptions))
	gauge(c.slow, float64(s.Slow))
	gauge(c.behind, float64(s.Behind))
	gauge(c.head, float64(s.Head))
	gauge(c.disk, float64(s.DiskBytes))
	underWay := 0.0
	if s.Scavenging {
		underWay = 1
	}
	gauge(c.scavenging, underWay)
	count(c.scavenged, s.ScavengedEvents)
	count(c.givenBack, s.ScavengedBytes)
}
