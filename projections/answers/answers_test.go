package answers_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/hostfold/hostfold/projections/answers"
	"github.com/hostfold/hostfold/projections/projectiontest"
)

func TestMain(m *testing.M) { projectiontest.Main(m) }

func TestAnswers(t *testing.T) {
	t.Parallel()
	db, _ := projectiontest.Database(t)
	store := answers.Store{DB: db}
	command, noon := uuid.New(), projectiontest.Noon()
	first := answers.Answer{RequestHash: "h1", Status: 201, Resource: "inv_1", Revision: 3, Token: "t1"}

	if _, found, err := store.Find(t.Context(), command); err != nil || found {
		t.Fatal("an answer before there was one", err)
	}
	if err := store.Keep(t.Context(), command, first, noon); err != nil {
		t.Fatal(err)
	}
	if err := store.Keep(t.Context(), command, answers.Answer{RequestHash: "h2", Status: 200}, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	got, found, err := store.Find(t.Context(), command)
	if diff := cmp.Diff(first, got); err != nil || !found || diff != "" {
		t.Errorf("the first answer does not hold: %v %s", err, diff)
	}
	if n, err := store.Forget(t.Context(), noon); err != nil || n != 0 {
		t.Errorf("forgot %d: %v", n, err)
	}
	if n, err := store.Forget(t.Context(), noon.Add(time.Minute)); err != nil || n != 1 {
		t.Errorf("forgot %d: %v", n, err)
	}
}

func TestOldAnswersAreForgotten(t *testing.T) {
	t.Parallel()
	db, _ := projectiontest.Database(t)
	store := answers.Store{DB: db}
	command := uuid.New()
	if err := store.Keep(t.Context(), command, answers.Answer{}, projectiontest.Noon()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error)
	go func() {
		done <- store.Run(ctx, func() time.Time { return projectiontest.Noon().AddDate(0, 2, 0) })
	}()
	for found := true; found; {
		var err error
		if _, found, err = store.Find(ctx, command); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
