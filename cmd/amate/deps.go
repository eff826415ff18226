//go:build never

package main

import (
	_ "github.com/alecthomas/kong"
	_ "github.com/alecthomas/kong-yaml"
	_ "github.com/cockroachdb/apd/v3"
	_ "github.com/go-chi/chi/v5"
	_ "github.com/google/fhir/go/jsonformat"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/klauspost/compress/gzhttp"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "golang.org/x/text/unicode/norm"
	_ "golang.org/x/text/transform"
	_ "golang.org/x/sync/errgroup"
	_ "pgregory.net/rapid"
	_ "zombiezen.com/go/sqlite/sqlitex"
	_ "golang.org/x/term"
)

func main() {}
