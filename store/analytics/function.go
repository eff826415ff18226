package analytics

import (
	"maps"
	"slices"
	"strings"
)

// functions are those that a query may call: they compute a value of what they are given.
// None reads a file, a setting or a table by its name, waits, or makes much of little.
var functions = set(`abs avg bool_and bool_or ceil ceiling char_length coalesce concat concat_ws corr count cume_dist
	covar_pop covar_samp date date_part date_trunc datetime dense_rank every exp extract first_value floor greatest group_concat
	grouping iif ifnull instr julianday lag last_value lead least left length ln log lower ltrim make_date max min mod mode nth_value ntile nullif
	percent_rank percentile_cont percentile_disc position pow power rank regr_slope regr_intercept regr_r2 replace right round row_number rtrim
	sign split_part sqrt starts_with stddev stddev_pop stddev_samp strftime string_agg strpos substr substring sum time to_char to_date
	to_number total translate trim trunc unixepoch upper var_pop var_samp variance width_bucket jsonb_array_length json_array_length
	jsonb_array_elements_text json_each age`)

// before are words that a parenthesis may follow without anything being called.
var before = set(`all and any array as between bigint by case cast char character check cross cube decimal distinct else end except exists
	filter float from full group having in inner integer intersect interval is join lateral left like limit materialized natural not
	numeric offset on or order outer over partition real recursive right rollup row rows select sets some then timestamp
	union using values varchar varying when where window with within ilike similar to escape fetch first next only varbinary`)

// naming are words after which a name is given to something.
var naming = set(`as with recursive`)

// writing are words that begin something other than a query.
var writing = set(`insert update delete merge into drop create alter truncate grant revoke copy attach detach pragma vacuum reindex
	analyze call execute prepare deallocate listen notify lock returning explain`)

// registers are types of PostgreSQL that look names up.
var registers = set(`regclass regcollation regconfig regdictionary regnamespace regoper regoperator regproc regprocedure regrole regtype`)

var functionNames = slices.Sorted(maps.Keys(functions))

func set(names string) map[string]bool {
	all := map[string]bool{}
	for _, n := range strings.Fields(names) {
		all[n] = true
	}
	return all
}
