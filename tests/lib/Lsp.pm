# A client of the language server: messages over pipes, with bounds on time.
package Lsp;
use strict;
use warnings;
use IO::Select;
use IPC::Open2;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(time);

my $json = JSON::PP->new->utf8->canonical;

# Lsp->new(program, [folder]): starts a server; with a folder, initializes it.
sub new {
    my ($class, $program, $folder) = @_;
    my $self = bless { id => 0, in => '', findings => {}, notes => [] }, $class;
    local $SIG{PIPE} = 'IGNORE';
    $self->{pid} = open2($self->{from}, $self->{to}, $program, '--lsp');
    binmode $self->{$_} for 'from', 'to';
    if ($folder) {
        $self->{capabilities} = $self->ask('initialize',
            { processId => $$, rootUri => uri($folder), capabilities => { workspace =>
                    { didChangeWatchedFiles => { dynamicRegistration => JSON::PP::true } } } })->{capabilities};
        $self->tell('initialized', {});
    }
    return $self;
}

sub uri { my ($path) = @_; $path =~ s{([^A-Za-z0-9\-._~/])}{sprintf '%%%02X', ord $1}ge; "file://$path" }

sub write_raw {
    my ($self, $bytes) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my $at = 0;
    while ($at < length $bytes) {
        my $n = syswrite $self->{to}, $bytes, length($bytes) - $at, $at;
        return 0 if !defined $n;
        $at += $n;
    }
    1;
}
sub send_text { my ($self, $text) = @_; $self->write_raw('Content-Length: ' . length($text) . "\r\n\r\n$text") }
sub send_json { my ($self, $message) = @_; $self->send_text($json->encode({ jsonrpc => '2.0', %$message })) }
sub tell { my ($self, $method, $params) = @_; $self->send_json({ method => $method, params => $params }) }

# The next message of the server; undef when there is none within some seconds, or it has ended.
sub next_message {
    my ($self, $seconds) = @_;
    my $end = time + ($seconds // 20);
    for (;;) {
        if ($self->{in} =~ /^(.*?)\r\n\r\n/s) {
            my $header = $1;
            my ($length) = $header =~ /Content-Length: (\d+)/ or die "no length in '$header'";
            my $body = length($header) + 4;
            if (length $self->{in} >= $body + $length) {
                my $text = substr $self->{in}, $body, $length;
                substr($self->{in}, 0, $body + $length) = '';
                return $json->decode($text);
            }
        }
        my $left = $end - time;
        return if $left <= 0 || !IO::Select->new($self->{from})->can_read($left);
        sysread($self->{from}, $self->{in}, 65536, length $self->{in}) or return;
    }
}

# The next answer, whatever is told in between.
sub next_answer {
    my ($self, $seconds) = @_;
    while (my $message = $self->next_message($seconds)) {
        return $message if exists $message->{id} && !$message->{method};
        $self->note($message);
    }
    return {};
}

sub note { # what is no answer
    my ($self, $message) = @_;
    if (($message->{method} // '') eq 'textDocument/publishDiagnostics') {
        $self->{findings}{ $message->{params}{uri} } = $message->{params}{diagnostics};
        $self->{version}{ $message->{params}{uri} } = $message->{params}{version};
    } else {
        push @{ $self->{notes} }, $message;
    }
}

# Asks, and returns the whole answer.
sub answer {
    my ($self, $method, $params) = @_;
    my $id = ++$self->{id};
    $self->send_json({ id => $id, method => $method, params => $params });
    while (my $message = $self->next_message) {
        return $message if defined $message->{id} && !defined $message->{method} && $message->{id} eq $id;
        $self->note($message);
    }
    return { error => { message => "no answer to $method" } };
}
sub ask { my ($self, @question) = @_; $self->answer(@question)->{result} }

sub open {
    my ($self, $uri, $text, $version) = @_;
    $self->tell('textDocument/didOpen',
        { textDocument => { uri => $uri, languageId => 'sbx', version => $version // 1, text => $text } });
}
sub change {
    my ($self, $uri, $version, @changes) = @_;
    $self->tell('textDocument/didChange',
        { textDocument => { uri => $uri, version => $version }, contentChanges => \@changes });
}

# The findings of a document once those of a version are there.
sub findings {
    my ($self, $uri, $version) = @_;
    while (!defined $self->{findings}{$uri} || (defined $version && ($self->{version}{$uri} // -1) != $version)) {
        my $message = $self->next_message or return;
        $self->note($message);
    }
    return $self->{findings}{$uri};
}

# What a document's findings are once the server has nothing more to say.
sub settled {
    my ($self, $uri) = @_;
    $self->answer('textDocument/documentSymbol', { textDocument => { uri => $uri } }); # the edit has arrived
    while (my $message = $self->next_message(0.4)) { $self->note($message) }
    return $self->{findings}{$uri};
}

# The position of a piece of text, in units of UTF-16; `at` characters behind its start.
sub position {
    my ($text, $piece, $at) = @_;
    my $index = index $text, $piece;
    die "there is no '$piece'" if $index < 0;
    my $before = substr $text, 0, $index + ($at // 0);
    my $line = () = $before =~ /\n/g;
    $before =~ s/.*\n//s;
    my $units = 0;
    $units += ord > 0xFFFF ? 2 : 1 for split //, $before;
    return { line => $line, character => $units };
}
sub offset { # of a position, in characters
    my ($text, $position) = @_;
    my @lines = split /^/, $text, -1;
    my $before = join '', @lines[ 0 .. $position->{line} - 1 ];
    my $units = 0;
    my $line = $lines[ $position->{line} ] // '';
    for my $i (0 .. length($line)) {
        return length($before) + $i if $units >= $position->{character};
        $units += ord(substr $line, $i, 1) > 0xFFFF ? 2 : 1 if $i < length $line;
    }
    return length($before) + length $line;
}
sub apply { # edits to a text
    my ($text, @edits) = @_;
    for my $edit (sort { offset($text, $b->{range}{start}) <=> offset($text, $a->{range}{start}) } @edits) {
        my ($from, $to) = map { offset($text, $edit->{range}{$_}) } 'start', 'end';
        substr($text, $from, $to - $from) = $edit->{newText};
    }
    return $text;
}

# Ends the server; its exit status.
sub stop {
    my ($self, $roughly) = @_;
    if (!$roughly) {
        $self->answer('shutdown', undef);
        $self->send_json({ method => 'exit' });
    }
    close $self->{to};
    local $SIG{ALRM} = sub { kill 'KILL', $self->{pid} };
    alarm 20;
    waitpid $self->{pid}, 0;
    alarm 0;
    delete $self->{pid};
    return $? >> 8 | ($? & 127);
}
sub DESTROY { my ($self) = @_; if ($self->{pid}) { local $?; kill 'KILL', $self->{pid}; waitpid $self->{pid}, 0 } }

1;
