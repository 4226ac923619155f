package portal

import "net/http"

func (p *pages) news(v *visit) error {
	list, err := p.Reader.News(v.r.Context(), v.caller.Grants, v.from())
	if err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "news", "news", v.title("news.title"), listed(v, list))
}

func (p *pages) newsItem(v *visit) error {
	row, err := p.Reader.NewsItem(v.r.Context(), v.caller.Grants, v.id())
	if err != nil {
		return err
	}
	return p.show(v, http.StatusOK, "news_item", "news", row.Title, row)
}
