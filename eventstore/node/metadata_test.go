package node

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMetadataAreReadLeniently(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]StreamMetadata{
		``:                               {},
		`no json`:                        {},
		`null`:                           {},
		`[1]`:                            {},
		`{}`:                             {},
		`{"other":{"$maxCount":1}}`:      {},
		`{"$maxCount":17}`:               {MaxCount: 17},
		`{"$maxCount":0}`:                {},
		`{"$maxCount":-2,"$tb":4}`:       {TruncateBefore: 4},
		`{"$maxCount":"2","$tb":4}`:      {},
		`{"$maxCount":2.5}`:              {},
		`{"$maxCount":null,"$tb":4}`:     {TruncateBefore: 4},
		`{"$maxAge":90}`:                 {MaxAge: 90 * time.Second},
		`{"$maxAge":9223372036}`:         {MaxAge: 9223372036 * time.Second},
		`{"$maxAge":9223372037}`:         {},
		`{"$maxAge":-1}`:                 {},
		`{"$tb":9223372036854775807}`:    {TruncateBefore: math.MaxInt64},
		`{"$tb":9223372036854775808}`:    {},
		`{"$cacheControl":3}`:            {CacheControl: 3 * time.Second},
		`{"$tmp":true}`:                  {Temporary: true},
		`{"$tmp":1,"$tb":1}`:             {},
		`{"$acl":{"$r":["a"]}}`:          {ACL: []byte(`{"$r":["a"]}`)},
		`{"$acl":"$userStreamAcl"}`:      {ACL: []byte(`"$userStreamAcl"`)},
		`{"$acl":null,"$tb":1}`:          {TruncateBefore: 1},
		`{"$acl":[],"$tb":1}`:            {},
		` { "$tb" : 1 , "$maxCount": 2}`: {TruncateBefore: 1, MaxCount: 2},
	} {
		if diff := cmp.Diff(want, parseMetadata([]byte(text), false)); diff != "" {
			t.Errorf("%s:\n%s", text, diff)
		}
	}
	if got := parseMetadata([]byte(`{"$tb":1}`), true); got.TruncateBefore != 0 {
		t.Error("what is not JSON was read")
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"$tb":9223372036854775807,"a":"<>","$acl":{"$r":"x"}}`))
	f.Add([]byte(`{"$maxAge":1,"$maxCount":-1,"$maxCount":2}`))
	f.Add([]byte(`nothing`))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := parseMetadata(data, false)
		set, ok := withTruncateBefore(data, 7)
		if !ok {
			if before.TruncateBefore != 0 || before.MaxCount != 0 {
				t.Fatalf("%s is malformed, but was read", data)
			}
			return
		}
		after := parseMetadata(set, false)
		if before.MaxCount > 0 && after.TruncateBefore != 7 || before.TruncateBefore > 0 && after.TruncateBefore != 7 {
			t.Fatalf("%s became %s", data, set)
		}
		after.TruncateBefore = before.TruncateBefore
		if before.MaxCount > 0 && (before.MaxCount != after.MaxCount || before.MaxAge != after.MaxAge) {
			t.Fatalf("%s became %s", data, set)
		}
	})
}
