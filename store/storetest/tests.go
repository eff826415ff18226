package storetest
var criteriaTests, raceTests, historyTests, searchTests, pageTests, includeTests, restrictionTests map[string]func(*fixture)
