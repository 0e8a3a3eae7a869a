package Mesh::Bench::Side;

# One of those that are compared, from a file of lines: bare Nginx, the module or a peer.
#
# The file has comments, and sections:
#
#   [main], [http]  lines of Nginx's configuration
#   [NAME]          lines of the location of that name
#   [base]          the location that all others of this side are compared with, if it is not the
#                   same location of bare Nginx
#   [command]       of something else than Nginx: what starts it, in one line
#   [config]        and its configuration
#
# In all of them %NAME% stands for: `file` (the module or program), `work` (the directory of tokens
# and keys), `root` (its own directory), `port`, `tls` and `http2` (where it listens), and `upstream`
# (the port of the upstream); in a location also `content` (`static` or `proxied`), and `lines` is the
# directory of the file.

use v5.36;

use Cwd qw(realpath);
use File::Basename qw(dirname);

use Mesh::Bench::Cases qw(locations);
use Test::Mesh::File;

# name, lines (the path of the file), file, nginx.
sub new ($class, %options) {
    my $self = bless {%options}, $class;
    open my $in, '<', $self->{lines} or die "$self->{lines}: $!\n";
    my ($section, %sections, $comment);
    while (my $line = <$in>) {
        if ($line =~ /^\[(\S+)\]$/) { $sections{ $section = $1 } //= '' }
        elsif ($section) { $sections{$section} .= $line }
        elsif ($line =~ /^# ?(.*)/) { $comment .= "$1\n" }
        elsif ($line =~ /\S/) { die "$self->{lines}:$.: a line before the first section\n" }
    }
    # A build from before a directive does nothing in the locations that have it.
    if (defined $self->{file} && $self->{file} =~ /\.so\z/) {
        my $bytes = slurp($self->{file});
        for my $name (locations()) {
            my @directives = ($sections{$name} // '') =~ /^\s*(mesh_\w+)/mg;
            delete $sections{$name} if grep { index($bytes, $_) < 0 } @directives;
        }
    }
    $self->{sections} = \%sections;
    my $known = join '|', qw(main http base command config), map { quotemeta } locations();
    for (sort keys %sections) { die "$self->{lines}: no such section: [$_]\n" unless /^(?:$known)$/ }
    die "$self->{name} needs a file: $self->{name}=FILE\n", $comment // ''
        if !defined $self->{file} && grep { /%file%/ } values %sections;
    die "$self->{file}: no such file\n" if defined $self->{file} && !-e $self->{file};
    return $self;
}

sub is_nginx ($self) { return !defined $self->{sections}{command} }

# Whether it does anything in that location.
sub covers ($self, $location) { return defined $self->{sections}{$location} }

# The location of this side that a case is compared with, if any.
sub base ($self, $case) {
    return $case->{base} // (($self->{sections}{base} // '') =~ /(\S+)/ ? $1 : undef);
}

# The words that start it in the foreground.
sub command ($self, $config, %given) {
    if (my $command = $self->{sections}{command}) {
        return map { filled($_, %given, file => $self->{file}, config => $config) } split ' ', $command;
    }
    return ($self->{nginx}, '-p', "$given{root}/", '-c', $config, '-e', "$given{root}/error.log",
        '-g', 'daemon off;' . ($given{single} ? ' master_process off;' : ''));
}

# Its configuration.
sub config ($self, %given) {
    $given{file} = $self->{file};
    $given{lines} = dirname(realpath($self->{lines}));
    return filled($self->{sections}{config}, %given) unless $self->is_nginx;
    my %lines = map { $_ => $self->{sections}{$_} // '' } qw(main http), locations();
    my $places = join '', map { location($_, $lines{$_}) } locations();
    return filled(<<~END, %given);
        @{[ $lines{main} =~ s/\n\z//r ]}
        ${\ common() }
        http {
            ${\ kept() }
            $lines{http}
            upstream echo {
                server 127.0.0.1:%upstream%;
                keepalive 64;
                keepalive_requests 1000000000;
            }
            server {
                listen 127.0.0.1:%port%;
                listen 127.0.0.1:%http2% http2;
                listen 127.0.0.1:%tls% ssl;
                ssl_certificate %work%/tls/server.pem;
                ssl_certificate_key %work%/tls/server.key;
                ssl_client_certificate %work%/tls/ca.pem;
                ssl_verify_client on;
                $places
            }
        }
        END
}

sub location ($name, $lines) {
    my ($static, $proxied) = map { $lines =~ s/%content%/$_/gr } qw(static proxied);
    return <<~END;
        location /$name/static/ {
            $static
            empty_gif;
        }
        location /$name/proxied/ {
            $proxied
            proxy_pass http://echo;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
        END
}

# What is behind the proxied locations: it answers and does nothing else.
sub upstream ($root, $port) {
    return filled(<<~END, root => $root, port => $port);
        ${\ common() }
        http {
            ${\ kept() }
            server {
                listen 127.0.0.1:%port%;
                location / { empty_gif; }
            }
        }
        END
}

sub common () {
    my $user = $> == 0 ? 'user root;' : '';
    return "$user pid %root%/nginx.pid; worker_processes 1; events { worker_connections 512; }";
}

sub kept () {
    return 'access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;';
}

sub filled ($text, %given) {
    return $text =~ s{%(\w+)%}{$given{$1} // die "no such placeholder: %$1%\n"}ger;
}

1;
