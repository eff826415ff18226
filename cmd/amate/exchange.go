package main

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/amate-health/amate/fhir"
	"github.com/amate-health/amate/fhir/bundle"
	"github.com/amate-health/amate/fhir/document/mhd"
	"github.com/amate-health/amate/fhir/operation"
	"github.com/amate-health/amate/fhir/registry/identity/mpi"
	"github.com/amate-health/amate/fhir/rest"
	"github.com/amate-health/amate/fhir/terminology"
	"github.com/amate-health/amate/store/blob"
)

const (
	// inlineBinary is up to how many bytes the data of a Binary stay in its resource:
	// what a row of the database takes without slowing down its neighbours.
	inlineBinary = 64 << 10

	// answerBinary is how many bytes of content the resources of one answer may have.
	answerBinary = 64 << 20

	// sweepBlobsEvery is how often files are looked for that nothing refers to.
	sweepBlobsEvery = 6 * time.Hour
)

// The entry that says in which folder the database has its blobs.
const (
	blobsKind = "blobs"
	blobsKey  = "folder"
)

// keepContents opens the folder of blobs of a store.
func (o *opened) keepContents(s storage) error {
	folder, err := blob.Open(filepath.Join(s.Data, "blobs"))
	if err != nil {
		return err
	}
	var mine atomic.Bool
	o.contents = &blob.Keeper{
		Blobs: folder, Inline: inlineBinary, Limit: 256 << 20, Answer: answerBinary,
		Stay: func(contentType string) bool { return contentType == terminology.PartType }, // every server is to have those
		Claim: func(ctx context.Context, name string) error {
			if mine.Load() {
				return nil
			}
			err := o.claimBlobs(ctx, name)
			mine.Store(err == nil)
			return err
		},
	}
	return nil
}

// claimBlobs makes sure that the database has its blobs in the folder called name, and
// no other. The first server to need it decides.
func (o *opened) claimBlobs(ctx context.Context, name string) error {
	for range 2 {
		e, err := o.Entry(ctx, blobsKind, blobsKey)
		switch {
		case err == nil && string(e.Value) == name:
			return nil
		case err == nil:
			o.log.Error("the content of large Binaries is in another folder: all servers of a database share the folder blobs in --data")
			return fhir.Errorf(fhir.Unavailable, "this server cannot reach the content of large Binaries")
		case fhir.CodeOf(err) != fhir.NotFound:
			return err
		}
		if err = o.Put(ctx, fhir.Entry{Kind: blobsKind, Key: blobsKey, Value: []byte(name)}); err == nil {
			return nil
		}
		if fhir.CodeOf(err) != fhir.Conflict {
			return err
		}
	}
	return fhir.Errorf(fhir.Unavailable, "this server cannot reach the content of large Binaries")
}

// sweepBlobs removes, from time to time until ctx ends, the files that nothing refers to.
func (o *opened) sweepBlobs(ctx context.Context, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepBlobsEvery):
		}
		if e, err := o.Entry(ctx, blobsKind, blobsKey); err != nil || string(e.Value) != o.contents.Blobs.Name() {
			continue // nothing is there yet, or it is not ours to sweep
		}
		n, err := o.contents.Blobs.Sweep(ctx, o.BlobsUsed)
		if err != nil && ctx.Err() == nil {
			log.Error("sweep the content of Binaries", "error", err)
		} else if n > 0 {
			log.Info("content of Binaries that nothing referred to was removed", "files", n)
		}
	}
}

// fill puts the data into the Binaries of one answer.
func (o *opened) fill(ctx context.Context, lists ...[]fhir.Resource) error {
	if o.contents == nil {
		return nil
	}
	left := o.contents.Answer
	for _, rs := range lists {
		if err := o.contents.FillAll(ctx, rs, &left); err != nil {
			return err
		}
	}
	return nil
}

// fillResults puts the data into the Binaries that were written, and those replaced.
func (o *opened) fillResults(ctx context.Context, results []bundle.Result) error {
	if !slices.ContainsFunc(results, func(r bundle.Result) bool { return r.Resource.Ref.Type == "Binary" }) {
		return nil
	}
	all := make([]fhir.Resource, len(results))
	for i := range results {
		all[i] = results[i].Resource
	}
	if err := o.fill(ctx, all); err != nil {
		return err
	}
	for i := range results {
		results[i].Resource = all[i]
	}
	return nil
}

// contents are a blob.Keeper as the API knows it.
type contents struct{ *blob.Keeper }

func (c contents) Receive(ctx context.Context, body io.Reader, contentType string) (context.Context, []byte, error) {
	return c.Keeper.Receive(ctx, body, contentType)
}

func (c contents) Open(ctx context.Context, r *fhir.Resource) (*rest.Content, error) {
	content, err := c.Keeper.Open(ctx, r)
	if err != nil {
		return nil, err
	}
	return &rest.Content{ContentType: content.ContentType, Context: content.Context, ReadSeekCloser: content.ReadSeekCloser}, nil
}

// exchangeOperations are those by which documents are found.
func (o *opened) exchangeOperations() []operation.Operation { return mhd.Operations(o) }

// installExchange stores the search parameters of MHD and PDQm, where they are not yet.
func installExchange(ctx context.Context, store rest.Store) error {
	maker := makerFor(store)
	var b bundle.Batch
	for _, text := range slices.Concat(mhd.Parameters, mpi.Parameters) {
		s, err := bundle.Parse([]byte(text))
		if err != nil {
			return err
		}
		c, err := maker.Update(s, fhir.Ref{Type: "SearchParameter", ID: s.ID()}, false)
		if err != nil {
			return err
		}
		b.Changes = append(b.Changes, c)
	}
	_, err := store.Apply(ctx, &b)
	return err
}
