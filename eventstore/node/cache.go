package node

// cache is a bounded map that forgets what was not used for long, a half at a
// time. What was put is found again at least until limit other keys were.
type cache[K comparable, V any] struct {
	limit      int
	young, old map[K]V
}

func newCache[K comparable, V any](limit int) cache[K, V] {
	return cache[K, V]{limit: limit, young: map[K]V{}, old: map[K]V{}}
}

func (c *cache[K, V]) get(k K) (V, bool) {
	v, ok := c.young[k]
	if ok {
		return v, true
	}
	if v, ok = c.old[k]; ok {
		c.put(k, v)
	}
	return v, ok
}

func (c *cache[K, V]) put(k K, v V) {
	if len(c.young) >= c.limit {
		if _, there := c.young[k]; !there {
			c.young, c.old = c.old, c.young
			clear(c.young)
		}
	}
	c.young[k] = v
}
