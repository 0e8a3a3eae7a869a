package Test::Mesh::Config;

use v5.36;

use Exporter qw(import);
use File::Temp qw(tempdir);
use Test::More ();

use Test::Mesh::Credentials qw(keys_dir);
use Test::Mesh::File;
use Test::Mesh::Port;
use Test::Mesh::Server;

our @EXPORT = qw(config_warns refused_at server_block);

my $directory;

# Proves that `nginx -t` refuses a part of `http`, and names the marked line of that very file.
sub refused_at ($text, $message, $name = "refused: $message") {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($file, $line) = write_part($text);
    return config_refused("include $file;", qr/\[emerg\].*\Q$message\E.* in \Q$file:$line\E$/m, $name);
}

# Proves that `nginx -t` accepts a content of `http`, and what a pattern captures of its output.
sub config_warns ($http, $pattern, $name, @captured) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($status, $output) = Test::Mesh::Server::test_config($http);
    Test::More::is($status, 0, $name) or Test::More::diag($output);
    return Test::More::is_deeply([$output =~ /$pattern/g], \@captured,
        @captured ? "... warns of @captured" : '... without a warning') || Test::More::diag($output);
}

# A server for `nginx -t`.
sub server_block ($inside) { return "server {\nlisten 127.0.0.1:@{[free_port()]};\n$inside\n}\n" }

# Writes a part of `http` into a file, and returns it with the number of the line marked `# here`.
sub write_part ($text) {
    $directory //= tempdir('config-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    $text =~ s/%%KEYS%%/keys_dir()/ge;
    my ($before) = $text =~ /\A(.*?)# here$/ms or die "no line is marked:\n$text";
    return (spew("$directory/part.conf", $text), 1 + ($before =~ tr/\n//));
}

1;

__END__

=head1 NAME

Test::Mesh::Config - what nginx -t says of a configuration, with the file and the line

=head1 SYNOPSIS

    refused_at(<<'CONF', 'zone size "1" is too small');
    # A comment, so that it is not the first line.
    mesh_zone 1; # here
    CONF
    config_warns(server_block('location /a { ... }'), qr/in location "(.*?)"/, 'a location', '/a');

=head1 DESCRIPTION

C<refused_at> writes a text into a file that C<http> includes, runs C<nginx -t>, and proves that it
is refused by a message that ends in this file and the line with C<# here>. C<%%KEYS%%> is the
directory of the keys. C<Test::Mesh::Config::write_part> only writes the file, and returns its name and the
number of the line. C<config_warns> proves that a content of C<http> is accepted, and what a pattern
captures of all that is said then.

=cut
