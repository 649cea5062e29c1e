import static org.junit.Assert.assertEquals;
import org.junit.Test;
public class WordsTest {
    @Test public void counts() { assertEquals(2, (int) Words.count("a b A").get("a")); }
}
