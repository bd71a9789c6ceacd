//! What `plugpull store` can do.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

/// Arguments of `plugpull store`.
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// At the end, print on standard error where the time went, by what the calls of the file system do
    #[arg(long, global = true)]
    pub timing: bool,
    /// What to do
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What `plugpull store` can do.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Make a store in DIR, or put back what is missing of one
    #[command(after_help = "Example: plugpull store init /tmp/store")]
    Init {
        /// The store's directory
        dir: PathBuf,
    },
    /// Store files as blobs and print their ids
    #[command(after_help = "\
Example: plugpull store put /tmp/store notes.txt
         echo hello | plugpull store put /tmp/store -")]
    Put {
        /// The store's directory
        dir: PathBuf,
        /// Files to store; `-` is standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print an object's bytes, or write them to a file
    #[command(after_help = "Example: plugpull store get /tmp/store sha256:... --output notes.txt")]
    Get {
        /// The store's directory
        dir: PathBuf,
        /// The object's id
        id: String,
        /// Write to this file, atomically and durably, instead of to standard output
        #[arg(long, short)]
        output: Option<PathBuf>,
    },
    /// Commit files: the snapshot holds exactly the files given
    #[command(after_help = "\
Example: plugpull store commit /tmp/store -m 'first notes' notes.txt src")]
    Commit {
        /// The store's directory
        dir: PathBuf,
        /// Why
        #[arg(long, short)]
        message: String,
        /// Who
        #[arg(long, env = "USER", default_value = "unknown")]
        author: String,
        /// The branch to move [default: the one HEAD names]
        #[arg(long, short)]
        branch: Option<String>,
        /// Files and directories, relative to here
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Import many commits, one a line of JSON on standard input
    ///
    /// A line is {"branch":"main","author":"me","message":"why","time":1767225600,"files":{"a":{"text":"..."},"b":null}}.
    /// `files` says what differs from the commit before: a file holds `text`, or the bytes `hex`, and may be
    /// `"executable":true`; null removes it. Each batch is durable as a whole before it is told of.
    #[command(
        after_help = "Example: plugpull store import /tmp/store --batch 1000 < commits.jsonl"
    )]
    Import {
        /// The store's directory
        dir: PathBuf,
        /// Commits that become durable together
        #[arg(long, default_value = "1000")]
        batch: NonZeroUsize,
    },
    /// List commits, newest first, following first parents
    #[command(after_help = "Example: plugpull store log /tmp/store main")]
    Log {
        /// The store's directory
        dir: PathBuf,
        /// A branch or commit id [default: HEAD]
        from: Option<String>,
    },
    /// List branches, or create, move or delete one
    #[command(after_help = "\
Example: plugpull store branch /tmp/store
         plugpull store branch /tmp/store topic sha256:...
         plugpull store branch /tmp/store topic --delete")]
    Branch(BranchArgs),
    /// Print a pack of what commits lead to, or a URL where it can be read for a while
    #[command(after_help = "\
Example: plugpull store fetch-pack /tmp/store main > main.pack
         plugpull store fetch-pack /tmp/store main --have topic --ttl 10m --served-at https://host/packs
         plugpull store fetch-pack /tmp/store main --packs s3://bucket/prefix")]
    FetchPack(FetchPackArgs),
    /// Take in a pack and print the ids of its commits; no branch is moved
    #[command(after_help = "Example: plugpull store import-pack /tmp/other main.pack")]
    ImportPack {
        /// The store's directory
        dir: PathBuf,
        /// The pack; `-` is standard input
        file: PathBuf,
    },
    /// Delete the packs whose time is over
    #[command(after_help = "\
Example: plugpull store sweep-packs /tmp/store
         plugpull store sweep-packs /tmp/store --watch
         plugpull store sweep-packs /tmp/store --packs s3://bucket/prefix")]
    SweepPacks {
        /// The store's directory
        dir: PathBuf,
        /// Stay, and delete each pack at its time, until Ctrl-C
        #[arg(long, conflicts_with = "dead")]
        watch: bool,
        /// Also try again the deletions that were given up
        #[arg(long)]
        dead: bool,
        /// Those in this bucket, s3://BUCKET[/PREFIX] (see fetch-pack), instead of the store's own
        #[arg(long, value_name = "PLACE")]
        packs: Option<String>,
    },
    /// List until when each pack is kept, and which could not be deleted
    #[command(after_help = "Example: plugpull store leases /tmp/store")]
    Leases {
        /// The store's directory
        dir: PathBuf,
    },
    /// Show, begin or end the merge in progress
    #[command(after_help = "\
Example: plugpull store merge-state /tmp/store
         plugpull store merge-state /tmp/store --base sha256:... --ours sha256:... --theirs sha256:...
         plugpull store merge-state /tmp/store --clear")]
    MergeState(MergeStateArgs),
    /// Show or change the settings in config.toml; comments and all else in it stay
    #[command(after_help = "\
Example: plugpull store config /tmp/store
         plugpull store config /tmp/store user.name
         plugpull store config /tmp/store user.name \"Ada\"
         plugpull store config /tmp/store user.name --unset")]
    Config(ConfigArgs),
    /// Show or change the remotes in the settings
    #[command(after_help = "\
Example: plugpull store remote /tmp/store
         plugpull store remote /tmp/store origin https://host/store
         plugpull store remote /tmp/store origin --remove")]
    Remote(RemoteArgs),
    /// Restore all files of a branch or commit to a directory and set HEAD, all of it or nothing
    #[command(after_help = "\
Example: plugpull store checkout /tmp/store work --branch main
         plugpull store checkout /tmp/store work --commit sha256:...
         plugpull store checkout /tmp/store --abandon")]
    Checkout(CheckoutArgs),
    /// End the merge in progress with a commit: its branch moves there, or nothing happens
    #[command(after_help = "Example: plugpull store conclude-merge /tmp/store main sha256:...")]
    ConcludeMerge {
        /// The store's directory
        dir: PathBuf,
        /// The branch that is merged into
        branch: String,
        /// The commit that ends the merge
        commit: String,
    },
    /// Show, begin or end the rebase in progress
    #[command(after_help = "\
Example: plugpull store rebase-state /tmp/store
         plugpull store rebase-state /tmp/store --branch topic --head sha256:... --onto sha256:...
         plugpull store rebase-state /tmp/store --clear")]
    RebaseState(RebaseStateArgs),
    /// Reserve addresses, so that nobody else does, and print the reservation's id
    #[command(after_help = "Example: plugpull store reserve /tmp/store --run agent-1 src/lib.rs")]
    Reserve(ReserveArgs),
    /// Say what the holder of a reservation is about to do, and print the intent's id
    #[command(
        after_help = "Example: plugpull store intend /tmp/store 0f3a... --detail 'rename f' a.rs"
    )]
    Intend {
        /// The store's directory
        dir: PathBuf,
        /// The reservation's id
        reservation: String,
        /// What is about to be done, in a word
        #[arg(long, default_value = "write")]
        operation: String,
        /// The same in more words
        #[arg(long, default_value = "")]
        detail: String,
        /// Which of the reserved addresses it is about
        #[arg(required = true)]
        addresses: Vec<String>,
    },
    /// End a reservation with its intents, or an intent
    #[command(after_help = "Example: plugpull store release /tmp/store 0f3a...")]
    Release {
        /// The store's directory
        dir: PathBuf,
        /// The id of a reservation or intent
        id: String,
    },
    /// List reservations and intents
    #[command(after_help = "Example: plugpull store reservations /tmp/store --address src/lib.rs")]
    Reservations {
        /// The store's directory
        dir: PathBuf,
        /// Only those that hold this address now
        #[arg(long)]
        address: Option<String>,
        /// First remove those that have expired
        #[arg(long)]
        sweep: bool,
    },
    /// List the operation log from its checkpoint on, or add to it
    #[command(after_help = "\
Example: plugpull store oplog /tmp/store --append 'renamed f to g' --session agent-1
         plugpull store oplog /tmp/store --checkpoint 'all renames are committed' --compact
         plugpull store oplog /tmp/store --all")]
    Oplog(OplogArgs),
    /// Remove temps of dead writers and objects that nothing leads to
    #[command(after_help = "Example: plugpull store gc /tmp/store --grace 2days --dry-run")]
    Gc {
        /// The store's directory
        dir: PathBuf,
        /// Keep unreachable objects younger than this
        #[arg(long, value_parser = humantime::parse_duration, default_value = "1h")]
        grace: Duration,
        /// Only say what would be deleted
        #[arg(long)]
        dry_run: bool,
    },
}

/// Arguments of `plugpull store fetch-pack`.
#[derive(Debug, Args)]
pub struct FetchPackArgs {
    /// The store's directory
    pub dir: PathBuf,
    /// Branches and commit ids to fetch, with all they lead to
    #[arg(required = true)]
    pub want: Vec<String>,
    /// Branches and commit ids whose objects are there already
    #[arg(long)]
    pub have: Vec<String>,
    /// How long the URL is to be valid: whole seconds, 30 s to 1 h
    #[arg(long, value_parser = humantime::parse_duration, default_value = "5m")]
    pub ttl: Duration,
    /// Keep the pack in the store's directory `packs`, which a server serves under this address
    #[arg(long)]
    pub served_at: Option<String>,
    /// Keep the pack in a bucket instead: s3://BUCKET[/PREFIX], of the service and the keys that AWS_ENDPOINT_URL,
    /// AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN tell
    #[arg(long, value_name = "PLACE", conflicts_with = "served_at")]
    pub packs: Option<String>,
}

/// Arguments of `plugpull store branch`.
#[derive(Debug, Args)]
pub struct BranchArgs {
    /// The store's directory
    pub dir: PathBuf,
    /// The branch; without one, all are listed
    pub name: Option<String>,
    /// The commit it shall point at
    #[arg(conflicts_with = "delete", requires = "name")]
    pub commit: Option<String>,
    /// Move it only if it points at this commit [default: it must not exist, or, for a deletion, must
    /// not move meanwhile]
    #[arg(long, conflicts_with = "force", requires = "name")]
    pub expect: Option<String>,
    /// Move or delete it wherever it points
    #[arg(long, requires = "name")]
    pub force: bool,
    /// Delete it
    #[arg(long, requires = "name")]
    pub delete: bool,
}

/// Arguments of `plugpull store merge-state`.
#[derive(Debug, Args)]
pub struct MergeStateArgs {
    /// The store's directory
    pub dir: PathBuf,
    /// The commit that both sides come from
    #[arg(long, requires_all = ["ours", "theirs"])]
    pub base: Option<String>,
    /// The commit that is merged into
    #[arg(long, requires = "base")]
    pub ours: Option<String>,
    /// The commit that is merged
    #[arg(long, requires = "base")]
    pub theirs: Option<String>,
    /// A path that both sides changed
    #[arg(long, requires = "base")]
    pub conflict: Vec<String>,
    /// The branch that is merged
    #[arg(long, requires = "base")]
    pub branch: Option<String>,
    /// End it
    #[arg(long, conflicts_with = "base")]
    pub clear: bool,
    /// Whatever is in progress, also something unreadable
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `plugpull store checkout`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["branch", "commit", "abandon"])))]
pub struct CheckoutArgs {
    /// The store's directory
    pub dir: PathBuf,
    /// Where the files go; what is there and not in the commit stays
    #[arg(required_unless_present = "abandon")]
    pub work: Option<PathBuf>,
    /// A branch; HEAD names it afterwards
    #[arg(long)]
    pub branch: Option<String>,
    /// A commit; HEAD names it afterwards
    #[arg(long)]
    pub commit: Option<String>,
    /// Give up an operation that can never be finished, as its directory is gone
    #[arg(long, conflicts_with = "work")]
    pub abandon: bool,
}

/// Arguments of `plugpull store config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The store's directory
    pub dir: PathBuf,
    /// A setting: words with dots between; all of them if left out
    pub key: Option<String>,
    /// What it is to be from now on
    pub value: Option<String>,
    /// Remove it
    #[arg(long, requires = "key", conflicts_with = "value")]
    pub unset: bool,
}

/// Arguments of `plugpull store remote`.
#[derive(Debug, Args)]
pub struct RemoteArgs {
    /// The store's directory
    pub dir: PathBuf,
    /// Its name; all of them if left out
    pub name: Option<String>,
    /// Where it is from now on
    pub url: Option<String>,
    /// Remove it, with all that the settings say about it
    #[arg(long, requires = "name", conflicts_with = "url")]
    pub remove: bool,
}

/// Arguments of `plugpull store rebase-state`.
#[derive(Debug, Args)]
pub struct RebaseStateArgs {
    /// The store's directory
    pub dir: PathBuf,
    /// The branch that is rebased
    #[arg(long, requires_all = ["head", "onto"])]
    pub branch: Option<String>,
    /// Where it was
    #[arg(long, requires = "branch")]
    pub head: Option<String>,
    /// The commit that its own ones are put upon
    #[arg(long, requires = "branch")]
    pub onto: Option<String>,
    /// A commit that is still to be replayed, the next one first
    #[arg(long, requires = "branch")]
    pub remaining: Vec<String>,
    /// A commit that was made, the first one first
    #[arg(long, requires = "branch")]
    pub completed: Vec<String>,
    /// All of them become one commit
    #[arg(long, requires = "branch")]
    pub squash: bool,
    /// End it
    #[arg(long, conflicts_with = "branch")]
    pub clear: bool,
    /// Whatever is in progress, also something unreadable
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `plugpull store reserve`.
#[derive(Debug, Args)]
pub struct ReserveArgs {
    /// The store's directory
    pub dir: PathBuf,
    /// Who wants it
    #[arg(long, env = "USER", default_value = "unknown")]
    pub run: String,
    /// The branch it is for
    #[arg(long, default_value = "main")]
    pub branch: String,
    /// What it is for, in a word
    #[arg(long, default_value = "write")]
    pub operation: String,
    /// How long it holds
    #[arg(long, value_parser = humantime::parse_duration, default_value = "1h")]
    pub ttl: Duration,
    /// Exclude only those who want it for themselves
    #[arg(long)]
    pub shared: bool,
    /// What to hold
    #[arg(required = true)]
    pub addresses: Vec<String>,
}

/// Arguments of `plugpull store oplog`.
#[derive(Debug, Args)]
pub struct OplogArgs {
    /// The store's directory
    pub dir: PathBuf,
    /// Add a record of this text, and print its number
    #[arg(long)]
    pub append: Option<String>,
    /// Who adds it
    #[arg(long, env = "USER", default_value = "unknown")]
    pub session: String,
    /// Say that all of it was taken into account, and what came of it
    #[arg(long)]
    pub checkpoint: Option<String>,
    /// Drop what the checkpoint covers
    #[arg(long)]
    pub compact: bool,
    /// List also what the checkpoint covers
    #[arg(long)]
    pub all: bool,
}
