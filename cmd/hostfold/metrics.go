package main

import (
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hostfold/hostfold/eventstore/feed"
)

// metrics counts what happens, for Prometheus.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	batches  *prometheus.HistogramVec
	events   *prometheus.CounterVec
	failures *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hostfold_http_request_seconds", Help: "Time to answer a request.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"method", "route", "status"}),
		batches: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "hostfold_lane_batch_seconds", Help: "Time to apply one batch of events.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"lane"}),
		events:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hostfold_lane_events_total", Help: "Events that a lane has applied."}, []string{"lane"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hostfold_lane_failures_total", Help: "Batches that a lane could not apply at the first try."}, []string{"lane"}),
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.requests, m.batches, m.events, m.failures)
	return m
}

// handler serves the metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// request counts one answered request.
func (m *metrics) request(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

// batch counts one attempt of a lane.
func (m *metrics) batch(o feed.Observation) {
	if o.Err != nil {
		m.failures.WithLabelValues(o.Lane).Inc()
		return
	}
	m.batches.WithLabelValues(o.Lane).Observe(o.Took.Seconds())
	m.events.WithLabelValues(o.Lane).Add(float64(o.Events))
}

// watch adds what is read off the lanes and the database at each scrape.
func (m *metrics) watch(runner *feed.Runner, pool *pgxpool.Pool) {
	m.registry.MustRegister(laneCollector{runner: runner}, poolCollector{pool: pool})
}

// laneCollector reports the lanes.
type laneCollector struct{ runner *feed.Runner }

func laneDescs() (behind, position, live *prometheus.Desc) {
	return prometheus.NewDesc("hostfold_lane_behind_seconds", "How long the log has held something the lane has not passed.", []string{"lane"}, nil),
		prometheus.NewDesc("hostfold_lane_position", "Commit position up to which the lane has come.", []string{"lane"}, nil),
		prometheus.NewDesc("hostfold_lane_state", "1 for the state that the lane is in.", []string{"lane", "state"}, nil)
}

// Describe names what is collected.
func (laneCollector) Describe(ch chan<- *prometheus.Desc) {
	behind, position, state := laneDescs()
	ch <- behind
	ch <- position
	ch <- state
}

// Collect reads the lanes.
func (c laneCollector) Collect(ch chan<- prometheus.Metric) {
	behind, position, state := laneDescs()
	for _, s := range c.runner.Status() {
		ch <- prometheus.MustNewConstMetric(behind, prometheus.GaugeValue, s.Behind.Seconds(), s.Lane)
		ch <- prometheus.MustNewConstMetric(position, prometheus.GaugeValue, float64(s.Position.Commit), s.Lane)
		ch <- prometheus.MustNewConstMetric(state, prometheus.GaugeValue, 1, s.Lane, string(s.State))
	}
}

// poolCollector reports the connections to the database.
type poolCollector struct{ pool *pgxpool.Pool }

func poolDesc() *prometheus.Desc {
	return prometheus.NewDesc("hostfold_database_connections", "Connections to the database.", []string{"state"}, nil)
}

// Describe names what is collected.
func (poolCollector) Describe(ch chan<- *prometheus.Desc) { ch <- poolDesc() }

// Collect reads the pool.
func (c poolCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.pool.Stat()
	ch <- prometheus.MustNewConstMetric(poolDesc(), prometheus.GaugeValue, float64(s.AcquiredConns()), "used")
	ch <- prometheus.MustNewConstMetric(poolDesc(), prometheus.GaugeValue, float64(s.IdleConns()), "idle")
	ch <- prometheus.MustNewConstMetric(poolDesc(), prometheus.GaugeValue, float64(s.MaxConns()), "limit")
}
