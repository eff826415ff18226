// Package people knows who can sign in: accounts, their passwords, one-time codes and
// passkeys, what they have tried in vain, and where they are signed in.
//
// It follows NIST SP 800-63B: long passwords without rules about their characters,
// argon2id, a back-off that grows, and the same answer in the same time whether or
// not an account exists.
//
// See https://pages.nist.gov/800-63-4/sp800-63b.html.
package people
