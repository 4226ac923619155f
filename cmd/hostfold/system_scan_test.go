package main_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/hostfold/hostfold/cmd/hostfold/scan"
	"github.com/hostfold/hostfold/eventstore"
	"github.com/hostfold/hostfold/eventstore/node"
	"github.com/hostfold/hostfold/projections/postgres"
)

// places are where something about a person could be left. They have names:
// those below, "table " and a table's name, and the portal's files and folders
// by theirs.
type places struct {
	portal *portal
	log    string // of the server
}

const (
	serverLog     = "log"
	rawEvents     = "export"
	postgresFiles = "postgres"
	postgresLog   = "write-ahead log"
	fileNames     = "names of files"
)

// hit is a word that was found in a place; the scanner's own Place is the file.
type hit struct {
	scan.Hit

	in string
}

// wordsIn are the words that were found in places whose names begin so.
func wordsIn(hits []hit, place string) (found []string) {
	for _, h := range hits {
		if strings.HasPrefix(h.in, place) && !slices.Contains(found, h.Word) {
			found = append(found, h.Word)
		}
	}
	slices.Sort(found)
	return found
}

// named is the name of a place that the scanner names by its file.
func (l places) named(place string) string {
	path, isName := strings.CutPrefix(place, "the name of ")
	file, below := strings.CutPrefix(path, l.portal.dir+string(filepath.Separator))
	switch {
	case !below:
		return place
	case isName:
		return fileNames
	case strings.HasPrefix(file, filepath.Join("postgres", "data", "pg_wal")):
		return postgresLog
	}
	folder, _, _ := strings.Cut(file, string(filepath.Separator))
	return folder
}

// look looks for words everywhere while the server is down. Prepare works on
// the database first.
func (l places) look(t *testing.T, words []string, prepare func(db *pgx.Conn)) []hit {
	t.Helper()
	s, err := scan.New(words...)
	if err != nil {
		t.Fatal(err)
	}
	var hits []hit
	note := func(found []scan.Hit, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range found {
			hits = append(hits, hit{h, l.named(h.Place)})
		}
	}
	note(s.Read(serverLog, strings.NewReader(l.log)))
	note(s.Read(rawEvents, bytes.NewReader(l.portal.Run(t, "", "audit", "export"))))
	l.withDatabase(t, func(db *pgx.Conn) {
		prepare(db)
		for table, rows := range dump(t, db) {
			note(s.Read("table "+table, bytes.NewReader(rows)))
		}
	})
	note(s.Folder(l.portal.dir))
	return hits
}

// dump is every table but the store's own, as pg_dump would write it.
func dump(t *testing.T, db *pgx.Conn) map[string][]byte {
	t.Helper()
	rows, err := db.Query(t.Context(), `
		SELECT format('%I.%I', table_schema, table_name)
		FROM information_schema.tables
		WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, table := range tables {
		var out bytes.Buffer
		if _, err := db.PgConn().CopyTo(t.Context(), &out, `COPY `+table+` TO STDOUT`); err != nil {
			t.Fatal(err)
		}
		all[table] = out.Bytes()
	}
	return all
}

// withDatabase runs the private Postgres alone.
func (l places) withDatabase(t *testing.T, do func(db *pgx.Conn)) {
	t.Helper()
	server, err := postgres.Start(t.Context(), postgres.Config{Dir: filepath.Join(l.portal.dir, "postgres"), Binaries: os.Getenv("HOSTFOLD_POSTGRES")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	db, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	do(db)
}

// scrub is what docs/privacy.md tells an operator to do after an erasure.
func scrub(t *testing.T, db *pgx.Conn) {
	t.Helper()
	for _, sql := range []string{`ANALYZE`, `VACUUM FULL`, `CHECKPOINT`, `SELECT pg_switch_wal()`, `CHECKPOINT`} {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// canaries are words that are planted to be found, one for each place and
// encoding. Every place has all four encodings, since every place holds texts
// that came from elsewhere: an event or a job quotes a mail, a mail brings JSON
// along, a row or a line of the log shows a body. Places that escape what they
// hold, as JSON lines and dumps do, escape it once more. The name of a file
// alone is UTF-8 and nothing else.
type canaries struct {
	texts map[string][]string // by place
	found map[string][]string // by word: the places and encodings where it must be found
}

// planted are the places that canaries are put into, with where else they are
// found then: a table is in Postgres' files, too. They are not in its
// write-ahead log, which is gone with scrub: that has canaries of its own.
var planted = map[string][]string{
	serverLog: nil, rawEvents: nil, "mail": nil, "blobs": nil, "node": nil, postgresLog: nil,
	"table read.announcement": {postgresFiles}, "table river.river_job": {postgresFiles},
	"table web.answer": {postgresFiles}, "table vault.credential": {postgresFiles},
}

const namedCanary = "planted-é-in-a-name"

func newCanaries(t *testing.T) canaries {
	t.Helper()
	k := canaries{texts: map[string][]string{}, found: map[string][]string{namedCanary: {fileNames + " as " + scan.UTF8}}}
	for place, also := range planted {
		for _, as := range []string{scan.UTF8, scan.JSON, scan.Base64, scan.QuotedPrintable} {
			word := "planted-é-" + as + "-in-" + strings.ReplaceAll(place, " ", "-") + "-end"
			k.texts[place] = append(k.texts[place], encode(t, as, word))
			for _, found := range append([]string{place}, also...) {
				k.found[word] = append(k.found[word], found+" as "+as)
			}
		}
	}
	return k
}

func (k canaries) words() []string { return slices.Collect(maps.Keys(k.found)) }

// encode writes a word in the middle of a text, which is so long before it that
// a line ends within the word where lines have an end.
func encode(t *testing.T, as, word string) string {
	t.Helper()
	text := strings.Repeat("abc ", 13) + word + " and what follows"
	switch as {
	case scan.JSON:
		return `{"name":` + strconv.QuoteToASCII(text) + `}`
	case scan.Base64:
		lines := slices.Chunk([]byte(base64.StdEncoding.EncodeToString([]byte(text))), 76)
		return string(bytes.Join(slices.Collect(lines), []byte("\r\n")))
	case scan.QuotedPrintable:
		var out strings.Builder
		w := quotedprintable.NewWriter(&out)
		_, err := w.Write([]byte(text))
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	return text
}

// plant plants what needs no database, and answers the places with it.
func (k canaries) plant(t *testing.T, l places) places {
	t.Helper()
	inString := func(name, text string) []byte {
		line, err := json.Marshal(map[string]string{name: text})
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	engine, err := node.Open(filepath.Join(l.portal.dir, "node"), node.Options{Clock: time.Now, NewID: uuid.New})
	if err != nil {
		t.Fatal(err)
	}
	var events []eventstore.NewEvent
	for _, text := range k.texts[rawEvents] {
		events = append(events, eventstore.NewEvent{ID: uuid.New(), Type: "planted", Data: inString("name", text), Metadata: []byte(`{}`)})
	}
	_, err = engine.Append(t.Context(), "planted-1", eventstore.NoStream(), events...)
	if err := errors.Join(err, engine.Close()); err != nil {
		t.Fatal(err)
	}
	for folder, name := range map[string]string{"mail": namedCanary + ".eml", "blobs": "planted.pdf", "node": "planted"} {
		path := filepath.Join(l.portal.dir, folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Join(k.texts[folder], "\r\n\r\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range k.texts[serverLog] {
		l.log += "\n" + string(inString("msg", text))
	}
	return l
}

// plantRows plants rows in each schema that has any of people.
func (k canaries) plantRows(t *testing.T, db *pgx.Conn) {
	t.Helper()
	for place, sql := range map[string]string{
		"table read.announcement": `INSERT INTO read.announcement VALUES (gen_random_uuid()::text, $1, '', NULL, 0)`,
		"table river.river_job":   `INSERT INTO river.river_job (args, kind, max_attempts, state, finalized_at) VALUES (jsonb_build_object('name', $1::text), 'planted', 1, 'completed', now())`,
		"table web.answer":        `INSERT INTO web.answer VALUES (gen_random_uuid(), '', 200, $1, 0, '', now())`,
		"table vault.credential":  `INSERT INTO vault.credential VALUES (gen_random_uuid()::text, 'usr_planted', $1, now())`,
	} {
		k.run(t, db, place, sql)
	}
}

// plantLog plants what Postgres writes nowhere but into its write-ahead log.
func (k canaries) plantLog(t *testing.T, db *pgx.Conn) {
	t.Helper()
	k.run(t, db, postgresLog, `SELECT pg_logical_emit_message(false, 'planted', $1::text)`)
}

func (k canaries) run(t *testing.T, db *pgx.Conn, place, sql string) {
	t.Helper()
	for _, text := range k.texts[place] {
		if _, err := db.Exec(t.Context(), sql, text); err != nil {
			t.Fatalf("plant into %s: %v", place, err)
		}
	}
}
