using KvPrefetch.Engine.KvCache;

namespace KvPrefetch.Tests.Scheduling;

public class PagePoolTests
{
    [Fact]
    public void Hands_out_every_page_once_and_then_says_that_there_is_none()
    {
        var pool = new PagePool(5, 4);
        var pages = Enumerable.Range(0, 5).Select(_ => pool.Allocate(7)).ToArray();
        Assert.Equal([0, 1, 2, 3, 4], pages);
        Assert.Equal(-1, pool.Allocate(7));
        Assert.Equal((0, 5, 5), (pool.FreeCount, pool.UsedCount, pool.TotalCount));
        pool.Release(3, 7);
        Assert.Equal(3, pool.Allocate(8));
    }

    [Fact]
    public void Counts_tokens_and_pages()
    {
        var pool = new PagePool(int.MaxValue / 1024, 4096);
        Assert.Equal(int.MaxValue / 1024 * 4096L, pool.TokenCapacity);
        Assert.Equal((0, 1, 1, 2, 524288), (pool.PagesFor(0), pool.PagesFor(1), pool.PagesFor(4096), pool.PagesFor(4097), pool.PagesFor(int.MaxValue)));
    }

    [Fact]
    public void KV08_a_page_freed_twice_is_refused()
    {
        var pool = new PagePool(2, 1);
        var page = pool.Allocate(1);
        pool.Release(page, 1);
        Assert.Contains("freed twice", Assert.Throws<InvalidOperationException>(() => pool.Release(page, 1)).Message, StringComparison.Ordinal);
        Assert.Equal(2, pool.FreeCount);
    }

    [Fact]
    public void KV08_a_page_freed_by_another_owner_is_refused()
    {
        var pool = new PagePool(2, 1);
        var page = pool.Allocate(1);
        Assert.Contains("belongs to sequence 1", Assert.Throws<InvalidOperationException>(() => pool.Release(page, 2)).Message, StringComparison.Ordinal);
        Assert.Equal(1, pool.FreeCount);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(2)]
    public void KV08_a_page_that_does_not_exist_is_refused(int page) =>
        Assert.Throws<InvalidOperationException>(() => new PagePool(2, 1).Release(page, 1));
}
